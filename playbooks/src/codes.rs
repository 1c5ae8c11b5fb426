//! Every code a finding about a playbook, template or entity can have, with its page.
//!
//! Owns the table behind `sortie explain`. The pages lie in `docs/codes` and are part of the
//! program, so the explanation is there when the network is not.

use crate::diagnostic::Level;
use crate::diagnostic::Level::{Error, Warning};

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Its name, for example `PB204`.
    pub code: &'static str,
    /// Whether it stops the playbook.
    pub level: Level,
    /// What it says, in a few words.
    pub summary: &'static str,
    /// Its page, Markdown: what happened, why it matters, how to repair it, an example.
    pub page: &'static str,
}

macro_rules! page {
    ($code:literal, $level:expr, $summary:literal) => {
        Code {
            code: $code,
            level: $level,
            summary: $summary,
            page: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../docs/codes/",
                $code,
                ".md"
            )),
        }
    };
}

/// Every code, in order.
pub const CODES: &[Code] = &[
    page!("PB101", Error, "the file is not YAML"),
    page!(
        "PB102",
        Error,
        "anchors, aliases, merge keys, tags and second documents are not read"
    ),
    page!("PB103", Error, "`{{ }}` in a key that is an expression"),
    page!("PB104", Error, "`{{` at the start of a value without quotes"),
    page!("PB105", Error, "an expression that needs quotes"),
    page!("PB106", Error, "` #` inside an expression"),
    page!("PB107", Error, "`${{ }}` mixed with other text"),
    page!("PB108", Error, "the same key twice in one map"),
    page!("PB109", Error, "a key that does not exist"),
    page!("PB110", Error, "a key that is required is missing"),
    page!("PB111", Error, "a value that YAML readers disagree about"),
    page!("PB112", Error, "a value of the wrong kind"),
    page!("PB113", Error, "a name that is not allowed or taken"),
    page!("PB114", Error, "over a limit"),
    page!("PB115", Error, "`id` differs from the file name"),
    page!("PB116", Error, "template syntax that is not allowed"),
    page!("PB117", Error, "a block in a parameter that is one line"),
    page!("PB118", Error, "the expression cannot be parsed"),
    page!("PB119", Error, "invisible or control characters in the source"),
    page!("PB199", Error, "a key of the language that is not built yet"),
    page!("PB201", Error, "no such action"),
    page!("PB202", Error, "no such parameter"),
    page!("PB203", Error, "a parameter is missing"),
    page!("PB204", Error, "no such output or field"),
    page!("PB205", Error, "no such step, or one that comes later"),
    page!("PB206", Error, "no such name"),
    page!("PB207", Error, "no such incident type or field"),
    page!("PB209", Error, "no such connection"),
    page!("PB210", Error, "a value of another type"),
    page!("PB211", Error, "a condition that is not true or false"),
    page!("PB212", Error, "a comparison that can never be true"),
    page!(
        "PB213",
        Error,
        "a field that may be absent is read without a guard"
    ),
    page!("PB214", Error, "operands that do not fit together"),
    page!("PB215", Error, "an unknown function or wrong arguments"),
    page!("PB216", Error, "a pattern that is not a literal, or not valid"),
    page!(
        "PB217",
        Warning,
        "a condition that is always true or always false"
    ),
    page!("PB218", Error, "`for_each` over something that is not a list"),
    page!("PB219", Error, "an output of a `for_each` step without `items`"),
    page!("PB220", Error, "a list or record in a text"),
    page!("PB221", Error, "an expression over its limits"),
    page!("PB222", Error, "a loop variable that hides another name"),
    page!("PB230", Error, "steps that wait for each other"),
    page!("PB232", Warning, "`after` that the data implies already"),
    page!("PB233", Warning, "a look-up nobody looks at"),
    page!("PB234", Warning, "a let, input or enum nobody uses"),
    page!("PB301", Error, "an effect beyond `may`"),
    page!("PB302", Warning, "`may` permits more than happens"),
    page!("PB303", Error, "`destroy` with fewer than two approvals"),
    page!("PB304", Error, "`on_timeout` that would approve"),
    page!("PB305", Error, "an effect that TLP or PAP would refuse"),
    page!("PB306", Warning, "a look-up that TLP or PAP would refuse"),
    page!("PB308", Error, "waits that are longer than the run may take"),
    page!("PB310", Error, "a clean verdict that may rest on failed look-ups"),
    page!("PB320", Error, "a notification that can be lost"),
    page!(
        "PB321",
        Error,
        "a step of `on_failure` or `finally` that absence could skip"
    ),
    page!(
        "PB330",
        Error,
        "an effect at a customer that nothing takes back, without a reason"
    ),
    page!("PB331", Error, "a block without an end"),
    page!(
        "PB332",
        Warning,
        "an effect that would last longer than somebody allows"
    ),
    page!("PB333", Error, "a retry of an effect that cannot be repeated"),
    page!("PB334", Error, "a `repeat` without an end"),
    page!("PB335", Warning, "an approval that shows nothing"),
    page!("PB336", Error, "a role that nobody can have"),
    page!("PB340", Warning, "a trigger with effects and without `once_per`"),
    page!("PB401", Error, "a key made from data"),
    page!("PB402", Error, "a playbook cannot name a secret"),
    page!("PB403", Error, "a recipient taken from incident data"),
    page!("PB501", Error, "tests for a playbook that does not exist"),
    page!("PB502", Error, "a mock or input that does not fit the playbook"),
    page!("PB503", Error, "a look-up without an answer in a test"),
    page!("PB504", Error, "`expect` names something that cannot be"),
    page!("PB505", Warning, "no test reaches a step with an effect"),
    page!("PB601", Error, "an entity file that cannot be used"),
    page!("PB602", Error, "a mail template that is missing"),
    page!(
        "PB603",
        Error,
        "languages of a template differ in their parameters"
    ),
    page!("PB604", Error, "a subject that is too long"),
    page!("PB605", Error, "never-block values or networks that clash"),
    page!("PB606", Warning, "a contact nobody has verified for a year"),
    page!(
        "PB607",
        Error,
        "a setting, contact or approvers that an entity does not have"
    ),
    page!("PB608", Error, "a mail template without usable front matter"),
];

/// The code of this name; upper and lower case are the same.
pub fn find(name: &str) -> Option<&'static Code> {
    CODES
        .iter()
        .find(|code| code.code.eq_ignore_ascii_case(name.trim()))
}

#[cfg(test)]
mod tests;
