//! The types of what every playbook can read: the incident, its entity, us, the run, a step.
//!
//! Owns the shapes; they follow [`crate::incident`] and [`crate::operator`] field by field.

use indexmap::IndexMap;

use super::{TextForm, Type};
use crate::incident::{IncidentType, ObservableType};

/// Names every step has beside its outputs; actions may not declare outputs of these names.
pub const STEP_FIELDS: &[&str] = &["status", "started_at", "finished_at", "attempts"];

/// The words of a step's status.
const STEP_STATUS: &[&str] = &[
    "pending",
    "waiting",
    "running",
    "succeeded",
    "failed",
    "skipped",
    "refused",
    "unknown",
    "cancelled",
];

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Type {
    Type::OneOf(words.into_iter().map(str::to_owned).collect())
}

impl Type {
    /// What `incident` is for a playbook that starts on these types; none means any type. Parts
    /// that each of these types carries always are not optional.
    pub fn incident(kinds: &[IncidentType]) -> Self {
        let every = |kind: IncidentType| !kinds.is_empty() && kinds.iter().all(|found| *found == kind);
        let part = |ty: Self, always: bool| if always { ty } else { ty.optional() };
        let login = every(IncidentType::SuspiciousLogin);
        let alert = every(IncidentType::IdsAlert);
        let kind_words = if kinds.is_empty() {
            IncidentType::ALL
        } else {
            kinds
        };
        let text = Self::Text;
        Self::record([
            ("ref", Self::String),
            ("type", words(kind_words.iter().map(|kind| kind.word()))),
            ("title", Self::String),
            ("summary", Self::String.optional()),
            ("status", words(["open", "closed"])),
            ("severity", Self::severity()),
            ("tlp", Self::tlp()),
            ("pap", Self::pap()),
            ("verdict", text(TextForm::Verdict)),
            ("tags", Self::String.list()),
            ("detected_at", Self::Time),
            ("received_at", Self::Time),
            (
                "reporter",
                Self::record([
                    ("email", text(TextForm::Email)),
                    ("name", Self::String.optional()),
                ])
                .optional(),
            ),
            ("mail", Self::Mail.optional()),
            ("domain", text(TextForm::Domain).optional()),
            ("host", host().optional()),
            ("user", part(user(), login)),
            ("logins", part(login_record().list(), login)),
            ("network", part(network(), alert)),
            ("signature", part(signature(), alert)),
            ("observables", observable().list()),
            ("files", Self::File.list()),
            ("raw", Self::Open),
        ])
    }

    /// What `entity` is, with the operator's `[entity_settings]`.
    pub fn entity(settings: &IndexMap<String, Self>) -> Self {
        Self::record([
            ("id", Self::String),
            ("name", Self::String),
            ("language", Self::String),
            ("timezone", Self::String),
            ("domains", Self::Text(TextForm::Domain).list()),
            ("website", Self::Text(TextForm::Url).optional()),
            ("networks", Self::Text(TextForm::Cidr).list()),
            ("settings", Self::Record(settings.clone())),
        ])
    }

    /// What `org` is.
    pub fn organisation() -> Self {
        Self::record([
            ("name", Self::String),
            ("language", Self::String),
            ("timezone", Self::String),
        ])
    }

    /// What `run` is.
    pub fn run() -> Self {
        Self::record([
            ("id", Self::String),
            ("started_at", Self::Time),
            ("mode", words(["shadow", "suggest", "auto"])),
            ("failed_step", Self::String.optional()),
            ("error", Self::String.optional()),
            ("summary", Self::String),
        ])
    }

    /// What `steps.<id>` is for a step that runs an action once.
    pub fn step(outputs: &IndexMap<String, Self>) -> Self {
        let mut fields = outputs.clone();
        fields.extend(step_fields());
        Self::Record(fields)
    }

    /// What `steps.<id>` is for a step with `repeat`: the outputs of its last round, and whether it
    /// came to what it waited for.
    pub fn step_repeated(outputs: &IndexMap<String, Self>) -> Self {
        let mut fields = outputs.clone();
        fields.insert("done".to_owned(), Self::Bool);
        Self::step(&fields)
    }

    /// What `steps.<id>` is for a `for_each` step over items of the given type.
    pub fn step_for_each(outputs: &IndexMap<String, Self>, item: &Self) -> Self {
        let mut one = outputs.clone();
        one.insert("item".to_owned(), item.clone());
        let failure = Self::record([("item", item.clone()), ("error", Self::String)]);
        let mut fields: IndexMap<String, Self> = [
            ("items", Self::Record(one).list()),
            ("failed", Self::Int),
            ("skipped", Self::Int),
            ("refused", Self::Int),
            ("failures", failure.list()),
        ]
        .into_iter()
        .map(|(name, ty)| (name.to_owned(), ty))
        .collect();
        fields.extend(step_fields());
        Self::Record(fields)
    }

    /// The fields of a record, `file` and `mail` included; `None` for what has none that are
    /// known.
    pub fn fields(&self) -> Option<IndexMap<String, Self>> {
        match self {
            Self::Record(fields) => Some(fields.clone()),
            Self::File | Self::Mail => match self.as_record() {
                Self::Record(fields) => Some(fields),
                _ => None,
            },
            _ => None,
        }
    }

    fn as_record(&self) -> Self {
        match self {
            Self::File => Self::record([
                ("name", Self::String),
                ("sha256", Self::Text(TextForm::Hash)),
                ("size", Self::Int),
                ("media_type", Self::String.optional()),
            ]),
            Self::Mail => Self::record([
                ("message_id", Self::String),
                ("subject", Self::String),
                ("from", Self::Text(TextForm::Email)),
                ("to", Self::Text(TextForm::Email).list()),
                ("received_at", Self::Time.optional()),
                ("file", Self::File.optional()),
            ]),
            other => other.clone(),
        }
    }
}

fn step_fields() -> [(String, Type); 4] {
    [
        ("status".to_owned(), words(STEP_STATUS.iter().copied())),
        ("started_at".to_owned(), Type::Time.optional()),
        ("finished_at".to_owned(), Type::Time.optional()),
        ("attempts".to_owned(), Type::Int),
    ]
}

fn host() -> Type {
    Type::record([
        ("id", Type::String),
        ("hostname", Type::String.optional()),
        ("sha256", Type::Text(TextForm::Hash).optional()),
    ])
}

fn user() -> Type {
    Type::record([
        ("id", Type::String),
        ("email", Type::Text(TextForm::Email).optional()),
    ])
}

fn login_record() -> Type {
    Type::record([
        ("ip", Type::Text(TextForm::Ip)),
        ("at", Type::Time),
        ("country", Type::String.optional()),
        ("mfa", Type::Bool),
    ])
}

fn network() -> Type {
    Type::record([
        ("source_ip", Type::Text(TextForm::Ip)),
        ("destination_ip", Type::Text(TextForm::Ip)),
        ("direction", words(["inbound", "outbound", "internal"])),
        ("protocol", Type::String.optional()),
        ("destination_port", Type::Int.optional()),
    ])
}

fn signature() -> Type {
    Type::record([
        ("id", Type::String),
        ("name", Type::String),
        ("cve", Type::String.optional()),
        ("blocked", Type::Bool),
    ])
}

fn observable() -> Type {
    let kinds = [
        ObservableType::Ip,
        ObservableType::Domain,
        ObservableType::Url,
        ObservableType::Email,
        ObservableType::Hash,
    ];
    let kind_word = |kind: ObservableType| match kind {
        ObservableType::Ip => "ip",
        ObservableType::Domain => "domain",
        ObservableType::Url => "url",
        ObservableType::Email => "email",
        ObservableType::Hash => "hash",
    };
    Type::record([
        ("type", words(kinds.map(kind_word))),
        ("value", Type::String),
        ("tlp", Type::tlp().optional()),
        ("role", Type::String.optional()),
    ])
}
