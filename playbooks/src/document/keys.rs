//! The keys of every part of a playbook, and those the language has but this version has not.

/// The keys of one kind of map.
pub(super) struct Keys {
    /// What the map is, for messages.
    pub(super) what: &'static str,
    /// The keys it may hold.
    pub(super) known: &'static [&'static str],
    /// Keys of the language that are not built: what to do instead.
    pub(super) unbuilt: &'static [(&'static str, &'static str)],
    /// Words of other tools: what they are called here.
    pub(super) foreign: &'static [(&'static str, &'static str)],
}

pub(super) const PLAYBOOK: Keys = Keys {
    what: "a playbook",
    known: &[
        "id",
        "name",
        "version",
        "description",
        "owner",
        "tags",
        "trigger",
        "concurrency",
        "limits",
        "may",
        "inputs",
        "enums",
        "steps",
        "let",
        "on_failure",
        "finally",
        "outputs",
    ],
    unbuilt: &[("language", "remove it; every playbook is read as language 1")],
    foreign: &[
        ("on", "trigger"),
        ("jobs", "steps"),
        ("tasks", "steps"),
        ("vars", "let"),
        ("env", "inputs"),
    ],
};

pub(super) const TRIGGER: Keys = Keys {
    what: "`trigger`",
    known: &["incident", "when", "once_per", "schedule", "manual"],
    unbuilt: &[],
    foreign: &[
        ("type", "incident"),
        ("types", "incident"),
        ("if", "when"),
        ("cron", "schedule"),
    ],
};

pub(super) const SCHEDULE: Keys = Keys {
    what: "`schedule`",
    known: &["every", "at", "tz", "per"],
    unbuilt: &[],
    foreign: &[("interval", "every"), ("time", "at"), ("timezone", "tz")],
};

pub(super) const ONCE_PER: Keys = Keys {
    what: "`once_per`",
    known: &["key", "within"],
    unbuilt: &[],
    foreign: &[("for", "within"), ("window", "within")],
};

pub(super) const CONCURRENCY: Keys = Keys {
    what: "`concurrency`",
    known: &["key", "limit", "when_busy"],
    unbuilt: &[],
    foreign: &[
        ("group", "key"),
        ("max", "limit"),
        ("on_busy", "when_busy"),
        ("cancel-in-progress", "when_busy"),
    ],
};

pub(super) const LIMITS: Keys = Keys {
    what: "`limits`",
    known: &["tlp", "pap", "time", "effects"],
    unbuilt: &[],
    foreign: &[("timeout", "time")],
};

pub(super) const INPUT: Keys = Keys {
    what: "an input",
    known: &["type", "default", "min", "max", "choices", "description", "ask"],
    unbuilt: &[],
    foreign: &[("enum", "choices"), ("options", "choices"), ("label", "ask")],
};

pub(super) const STEP: Keys = Keys {
    what: "a step",
    known: &[
        "name",
        "uses",
        "using",
        "with",
        "if",
        "for_each",
        "max_parallel",
        "after",
        "timeout",
        "retry",
        "on_failure",
        "if_refused",
        "approval",
        "undo",
        "repeat",
    ],
    unbuilt: &[(
        "expect",
        "remove it; read the answer with `has(...)` or `default(...)`",
    )],
    foreign: &[
        ("action", "uses"),
        ("run", "uses"),
        ("params", "with"),
        ("args", "with"),
        ("when", "if"),
        ("needs", "after"),
        ("depends_on", "after"),
        ("loop", "for_each"),
        ("connection", "using"),
    ],
};

pub(super) const APPROVAL: Keys = Keys {
    what: "`approval`",
    known: &["who", "count", "ask", "show", "within", "on_timeout", "same_as"],
    unbuilt: &[],
    foreign: &[
        ("roles", "who"),
        ("approvers", "who"),
        ("timeout", "within"),
        ("question", "ask"),
        ("quorum", "count"),
        ("message", "ask"),
    ],
};

pub(super) const UNDO: Keys = Keys {
    what: "`undo`",
    known: &["after", "when", "uses", "with", "none"],
    unbuilt: &[],
    foreign: &[
        ("for", "after"),
        ("ttl", "after"),
        ("within", "after"),
        ("if", "when"),
        ("until", "when"),
        ("action", "uses"),
        ("never", "none"),
    ],
};

pub(super) const REPEAT: Keys = Keys {
    what: "`repeat`",
    known: &["every", "until", "times", "at_most", "first"],
    unbuilt: &[],
    foreign: &[
        ("interval", "every"),
        ("delay", "every"),
        ("while", "until"),
        ("count", "times"),
        ("max", "times"),
        ("timeout", "at_most"),
        ("for", "at_most"),
    ],
};

pub(super) const RETRY: Keys = Keys {
    what: "`retry`",
    known: &["attempts", "backoff", "errors"],
    unbuilt: &[],
    foreign: &[("times", "attempts"), ("delay", "backoff"), ("on", "errors")],
};
