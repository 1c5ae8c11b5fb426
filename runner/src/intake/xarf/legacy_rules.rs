//! The rules of X-ARF 1, 2, 3 and their drafts: which types there are, and what each needs.

use serde_json::{Map, Value};

use super::legacy_fields::{COMPLAINANT, INTERNAL, Kind, REPORT, REPORTER, check, is_mail, need, only};
use crate::intake::Refusal;
use crate::intake::text::line;

const VERSIONS: &[&str] = &["1", "2", "3", "3.0", "3.0.0", "alpha", "development"];
const REMEDY: &str = "see the description of X-ARF 3";

/// What a type of report needs to say where the abuse comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Ip,
    IpOrUrl,
    Url,
    Account,
}

/// A type of report: its class, its name, the name here, where from, and what else it needs.
#[derive(Debug)]
pub(super) struct ReportType {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    /// Category and type of version 4.
    pub(super) meaning: (&'static str, &'static str),
    origin: Origin,
    needs: &'static [&'static str],
}

const fn report_type(
    class: &'static str,
    name: &'static str,
    meaning: (&'static str, &'static str),
    origin: Origin,
    needs: &'static [&'static str],
) -> ReportType {
    ReportType {
        class,
        name,
        meaning,
        origin,
        needs,
    }
}

const TYPES: &[ReportType] = &[
    report_type(
        "Content",
        "Botnet",
        ("infrastructure", "botnet"),
        Origin::IpOrUrl,
        &[],
    ),
    report_type("Content", "ChildAbuse", ("content", "csam"), Origin::IpOrUrl, &[]),
    report_type(
        "Content",
        "ChildSexualAbuseMaterial",
        ("content", "csam"),
        Origin::IpOrUrl,
        &[],
    ),
    report_type(
        "Content",
        "Copyright",
        ("copyright", "copyright"),
        Origin::IpOrUrl,
        &["InfringedMaterial"],
    ),
    report_type("Content", "Malware", ("content", "malware"), Origin::IpOrUrl, &[]),
    report_type("Content", "Phishing", ("content", "phishing"), Origin::Url, &[]),
    report_type(
        "Content",
        "Trademark",
        ("content", "trademark"),
        Origin::IpOrUrl,
        &["TrademarkedMaterial"],
    ),
    report_type(
        "Vulnerability",
        "OpenService",
        ("vulnerability", "open_service"),
        Origin::IpOrUrl,
        &["ServiceName"],
    ),
    report_type("Activity", "DOS", ("connection", "ddos"), Origin::Ip, &[]),
    report_type("Activity", "Exploit", ("connection", "exploit"), Origin::Ip, &[]),
    report_type(
        "Activity",
        "Harassment",
        ("content", "harassment"),
        Origin::IpOrUrl,
        &["Harasser", "HarassmentDescription"],
    ),
    report_type(
        "Activity",
        "LoginAttack",
        ("connection", "login_attack"),
        Origin::Ip,
        &[],
    ),
    report_type(
        "Activity",
        "Malware",
        ("connection", "infected_host"),
        Origin::Ip,
        &[],
    ),
    report_type(
        "Activity",
        "PortScan",
        ("connection", "port_scan"),
        Origin::Ip,
        &[],
    ),
    report_type(
        "Activity",
        "PotentiallyCompromisedAccount",
        ("connection", "potentially_compromised_account"),
        Origin::Account,
        &["Account"],
    ),
    report_type("Activity", "Spam", ("messaging", "spam"), Origin::Ip, &[]),
    report_type(
        "Activity",
        "WebCrawler",
        ("connection", "scraping"),
        Origin::IpOrUrl,
        &[],
    ),
];

/// Refuses a report that breaks a rule of its version; says what type it is otherwise.
pub(super) fn checked(value: &Value) -> Result<&'static ReportType, Refusal> {
    let version = value.get("Version").and_then(Value::as_str).unwrap_or_default();
    if !VERSIONS.contains(&version) {
        let reason = format!("`{}` is not a version of X-ARF", line(version, 40));
        return Err(Refusal::invalid(
            "Version",
            reason,
            "versions are 1, 2, 3 and, in xarf_version, 4",
        ));
    }
    party(value, "ReporterInfo", "Reporter", REPORTER, true)?;
    party(value, "OnBehalfOf", "Complainant", COMPLAINANT, false)?;
    if value.get("Disclosure").is_some_and(|flag| !flag.is_boolean()) {
        return Err(Refusal::invalid(
            "Disclosure",
            "this is not true or false",
            REMEDY,
        ));
    }
    if let Some(internal) = value.get("InternalProcessing") {
        let object = as_object(internal, "InternalProcessing")?;
        check(object, INTERNAL, "InternalProcessing")?;
        let tags = object.get("EventTags").map(|tags| {
            tags.as_array()
                .is_some_and(|tags| tags.iter().all(Value::is_string))
        });
        if tags == Some(false) {
            return Err(Refusal::invalid(
                "InternalProcessing.EventTags",
                "this is not a list of texts",
                REMEDY,
            ));
        }
    }
    let report = value
        .get("Report")
        .ok_or_else(|| Refusal::invalid("Report", "this field is missing", REMEDY))?;
    let report = as_object(report, "Report")?;
    let kind = kind(report, version)?;
    need(report, &["Date"], "Report")?;
    check(report, REPORT, "Report")?;
    let needs = kind
        .needs
        .iter()
        .copied()
        .filter(|name| *name != "ServiceName" || names_services(version))
        .collect::<Vec<_>>();
    need(report, &needs, "Report")?;
    origin(report, kind, version)?;
    cvss(report)?;
    Ok(kind)
}

/// Versions 1, 2 and 3.0 do not insist on the name of an open service.
fn names_services(version: &str) -> bool {
    matches!(version, "3" | "development")
}

fn as_object<'v>(value: &'v Value, place: &str) -> Result<&'v Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| Refusal::invalid(place, "this is not an object", REMEDY))
}

/// Who reports, or for whom. An organisation says more than a person.
fn party(
    value: &Value,
    name: &str,
    prefix: &str,
    fields: &[(&str, Kind)],
    required: bool,
) -> Result<(), Refusal> {
    let Some(party) = value.get(name) else {
        return if required {
            Err(Refusal::invalid(name, "this field is missing", REMEDY))
        } else {
            Ok(())
        };
    };
    let party = as_object(party, name)?;
    check(party, fields, name)?;
    if required {
        only(party, fields, name)?;
    }
    let person = party.get(&format!("{prefix}Type")).and_then(Value::as_str) == Some("Person");
    let needed: Vec<String> = if person {
        Vec::new()
    } else {
        ["Org", "OrgDomain", "OrgEmail"]
            .iter()
            .map(|part| format!("{prefix}{part}"))
            .collect()
    };
    need(
        party,
        &needed.iter().map(String::as_str).collect::<Vec<_>>(),
        name,
    )
}

/// The type of a report. Version 3.0 writes types freely and files them all under few classes.
fn kind(report: &Map<String, Value>, version: &str) -> Result<&'static ReportType, Refusal> {
    let word = |key: &str| report.get(key).and_then(Value::as_str);
    let (Some(class), Some(name)) = (word("ReportClass"), word("ReportType")) else {
        return Err(Refusal::invalid(
            "Report",
            "ReportClass and ReportType are needed, as texts",
            REMEDY,
        ));
    };
    let free = version.starts_with("3.");
    let plain = |text: &str| {
        text.replace(['-', '_', ' '], "")
            .to_ascii_lowercase()
            .replace("ddos", "dos")
    };
    let found = TYPES
        .iter()
        .find(|kind| kind.class == class && kind.name == name)
        .or_else(|| {
            let known_class = free && ["Content", "Activity", "Vulnerability", "System"].contains(&class);
            TYPES
                .iter()
                .find(|kind| known_class && plain(kind.name) == plain(name))
        });
    found.ok_or_else(|| {
        let reason = format!(
            "there is no type `{}` in the class `{}`",
            line(name, 60),
            line(class, 60)
        );
        let names: Vec<_> = TYPES
            .iter()
            .map(|kind| format!("{}/{}", kind.class, kind.name))
            .collect();
        Refusal::invalid(
            "Report.ReportType",
            reason,
            format!("the types are {}", names.join(", ")),
        )
    })
}

fn origin(report: &Map<String, Value>, kind: &ReportType, version: &str) -> Result<(), Refusal> {
    let inner = |key: &str| {
        report
            .get("Source")
            .is_some_and(|source| source.get(key).is_some_and(Value::is_string))
    };
    let ip = report.contains_key("SourceIp") || inner("IP");
    let url = report.contains_key("SourceUrl") || inner("URL");
    // The first versions wanted to know where malware was hosted.
    let hosted = kind.meaning == ("content", "malware") && matches!(version, "1" | "2" | "alpha");
    let needed = if hosted { Origin::Url } else { kind.origin };
    let (fits, wanted) = match needed {
        Origin::Ip => (ip, "needs SourceIp"),
        Origin::IpOrUrl => (ip || url, "needs SourceIp or SourceUrl"),
        Origin::Url => (url, "needs SourceUrl"),
        Origin::Account => (!ip && !url, "names the account, not SourceIp or SourceUrl"),
    };
    if !fits {
        return Err(Refusal::invalid(
            "Report",
            format!("a report of type {} {wanted}", kind.name),
            REMEDY,
        ));
    }
    let account = report
        .get("Account")
        .and_then(|account| account.get("AccountIdentifier"))
        .and_then(Value::as_str);
    if account.is_some_and(is_mail) {
        return Err(Refusal::invalid(
            "Report.Account.AccountIdentifier",
            "a mail address belongs into AccountEmail",
            REMEDY,
        ));
    }
    Ok(())
}

fn cvss(report: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(cvss) = report.get("CVSS").and_then(Value::as_object) else {
        return Ok(());
    };
    need(cvss, &["Version", "Vector"], "Report.CVSS")?;
    let word = |key: &str| cvss.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, vector) = (word("Version"), word("Vector"));
    let fits = if version == "2" {
        vector.contains("AV:") && !vector.starts_with("CVSS:")
    } else {
        vector.starts_with(&format!("CVSS:{version}/AV:"))
    };
    let score = cvss
        .get("Score")
        .is_none_or(|score| score.as_f64().is_some_and(|score| (0.0..=10.0).contains(&score)));
    if fits && score {
        return Ok(());
    }
    Err(Refusal::invalid(
        "Report.CVSS",
        "score, vector and version do not fit each other",
        "write for example version 3.1 with CVSS:3.1/AV:…",
    ))
}
