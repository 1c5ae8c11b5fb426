//! The fixed sentences around a message, in the languages of the people who read it.
//!
//! Owns English, French and German. Another language reads English.

use playbooks::marking::Tlp;

/// The fixed sentences of one language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// ISO 639-1.
    pub(crate) language: &'static str,
    /// Before the reference.
    pub(crate) reference: &'static str,
    /// Before the recipient's role.
    pub(crate) to: &'static str,
    clear: &'static str,
    green: &'static str,
    amber: &'static str,
    amber_strict: &'static str,
    red: &'static str,
    notice_subject: &'static str,
    notice: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    reference: "Reference",
    to: "to",
    clear: "You may share this freely.",
    green: "You may share this within your community, not publicly.",
    amber: "You may share this inside {entity} and with your clients or providers who need it.",
    amber_strict: "You may share this inside {entity} only.",
    red: "For you personally. Do not share.",
    notice_subject: "Message for your {role} contact",
    notice: "We have a message for you about this case that may not be sent by mail.\n\
             Please call us and give the reference above.",
};

const FRENCH: Words = Words {
    language: "fr",
    reference: "Référence",
    to: "à",
    clear: "Partage libre.",
    green: "Partage possible dans votre communauté, pas en public.",
    amber: "Partage limité à {entity} et à ses clients ou prestataires qui en ont besoin.",
    amber_strict: "Partage limité à {entity}.",
    red: "Pour vous seul. Ne pas partager.",
    notice_subject: "Message pour votre contact {role}",
    notice: "Nous avons pour vous un message sur ce dossier qui ne peut pas être envoyé par courriel.\n\
             Appelez-nous en donnant la référence ci-dessus.",
};

const GERMAN: Words = Words {
    language: "de",
    reference: "Referenz",
    to: "an",
    clear: "Freie Weitergabe.",
    green: "Weitergabe in Ihrer Community, nicht öffentlich.",
    amber: "Weitergabe innerhalb von {entity} und an Kunden oder Dienstleister, die es brauchen.",
    amber_strict: "Weitergabe nur innerhalb von {entity}.",
    red: "Nur für Sie persönlich. Nicht weitergeben.",
    notice_subject: "Nachricht für Ihren Kontakt {role}",
    notice: "Wir haben zu diesem Fall eine Nachricht für Sie, die nicht per Mail gesendet werden darf.\n\
             Bitte rufen Sie uns an und nennen Sie die Referenz oben.",
};

impl Words {
    /// The sentences of a language.
    pub(crate) fn of(language: &str) -> &'static Self {
        match language.get(..2).unwrap_or_default() {
            "fr" => &FRENCH,
            "de" => &GERMAN,
            _ => &ENGLISH,
        }
    }

    /// What the reader may do with a message of this marking.
    pub(crate) fn sharing(&self, tlp: Tlp, entity: &str) -> String {
        let sentence = match tlp {
            Tlp::Clear => self.clear,
            Tlp::Green => self.green,
            Tlp::Amber => self.amber,
            Tlp::AmberStrict => self.amber_strict,
            Tlp::Red => self.red,
        };
        sentence.replace("{entity}", entity)
    }

    /// Subject and text of a notice that stands for a message which may not go this way.
    pub(crate) fn notice(&self, role: &str) -> (String, String) {
        (
            self.notice_subject.replace("{role}", role),
            self.notice.to_owned(),
        )
    }
}
