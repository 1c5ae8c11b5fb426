//! `contacts.<role>`: how to reach an entity, and up to which marking.

use indexmap::IndexMap;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use playbooks::marking::Tlp;
use playbooks::operator::Contact;
use playbooks::yaml::{Field, Node};

use super::{ENTITY_FILE, UNVERIFIED};
use crate::config::fields::Sheet;
use crate::config::values;

/// Days after which a contact should be verified again.
const VERIFIED_DAYS_MAX: i32 = 365;

/// Reads `contacts`.
pub(super) fn contacts(sheet: &mut Sheet, node: &Node, now: Timestamp) -> IndexMap<String, Contact> {
    let mut contacts = IndexMap::new();
    let Some(mut table) = sheet.table("contacts", node) else {
        return contacts;
    };
    for field in table.rest() {
        if !values::is_name(&field.key) {
            sheet.wrong(
                &field.key_place,
                format!("`{}` is not a name of a role", field.key),
                "use lower-case letters, digits and `-`",
            );
        } else if let Some(contact) = contact(sheet, field, now) {
            contacts.insert(field.key.clone(), contact);
        }
    }
    contacts
}

fn contact(sheet: &mut Sheet, field: &Field, now: Timestamp) -> Option<Contact> {
    let mut table = sheet.table(&format!("contacts.{}", field.key), &field.value)?;
    let mail = table.get(sheet, "mail").and_then(|node| mail(sheet, node));
    let phone = table.get(sheet, "phone").and_then(|node| phone(sheet, node));
    let tlp = table
        .need(sheet, "tlp")
        .and_then(|node| sheet.parsed::<Tlp>(node, "write the highest marking this contact may get"));
    if let Some(node) = table.get(sheet, "verified") {
        verified(sheet, node, now);
    }
    table.refuse(
        sheet,
        "pgp",
        "mails are not encrypted yet, so set `tlp` to what may travel without",
    );
    table.close(sheet);
    if mail.is_none() && phone.is_none() && !sheet.has_errors() {
        sheet
            .error(ENTITY_FILE, &field.key_place, "a contact that cannot be reached")
            .help
            .push("add `mail` or `phone`".to_owned());
    }
    Some(Contact {
        mail,
        phone,
        tlp: tlp?,
    })
}

fn mail(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    if values::is_mail_address(text) {
        return Some(text.to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not a mail address",
        "write for example security@ville.example",
    );
    None
}

fn phone(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    let digits = text.strip_prefix('+').unwrap_or_default();
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not a phone number",
        "write \"+33100000001\": a plus, the country, the number",
    );
    None
}

fn verified(sheet: &mut Sheet, node: &Node, now: Timestamp) {
    let Some(text) = sheet.text(node) else {
        return;
    };
    let Ok(date) = text.parse::<Date>() else {
        sheet.wrong(&node.place, "this is not a date", "write for example 2026-01-12");
        return;
    };
    let today = TimeZone::UTC.to_datetime(now).date();
    let age = date.until(today).map_or(0, |span| span.get_days());
    if age > VERIFIED_DAYS_MAX {
        let message = format!("this contact was verified {age} days ago");
        sheet
            .warning(UNVERIFIED, &node.place, message)
            .help
            .push("call it, and write today's date".to_owned());
    } else if date > today {
        sheet
            .warning(UNVERIFIED, &node.place, "this contact is verified in the future")
            .help
            .push("write the day it was verified".to_owned());
    }
}
