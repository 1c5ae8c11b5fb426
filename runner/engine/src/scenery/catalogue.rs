//! A catalogue with one action for each way the engine can treat one.

use indexmap::IndexMap;
use playbooks::action_spec::{
    ActionSpec, Catalog, ErrorKind, Parameter, ProviderSpec, Recovery, RetryDefault, Sink,
};
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::{Value, json};

/// The catalogue.
#[derive(Debug)]
pub(crate) struct Catalogue {
    actions: IndexMap<String, ActionSpec>,
    providers: Vec<ProviderSpec>,
}

struct Sketch {
    name: &'static str,
    effect: EffectClass,
    exposure: Exposure,
    inputs: Vec<(&'static str, Type)>,
    outputs: Vec<(&'static str, Type)>,
    example: (Value, Value),
}

fn spec(sketch: Sketch) -> ActionSpec {
    ActionSpec {
        name: sketch.name.to_owned(),
        summary: "For tests.".to_owned(),
        effect: sketch.effect,
        exposure: sketch.exposure,
        discloses: sketch.inputs.iter().map(|(name, _)| (*name).to_owned()).collect(),
        inputs: sketch
            .inputs
            .into_iter()
            .map(|(name, ty)| {
                let sink = if ty.required() == &Type::Text(TextForm::Document) {
                    Sink::Document
                } else {
                    Sink::Plain
                };
                let parameter = Parameter {
                    ty,
                    sink,
                    description: "An input.".to_owned(),
                };
                (name.to_owned(), parameter)
            })
            .collect(),
        exactly_one_of: Vec::new(),
        outputs: sketch
            .outputs
            .into_iter()
            .map(|(name, ty)| (name.to_owned(), ty))
            .collect(),
        natural_key: Vec::new(),
        inverse: match sketch.name {
            "edr.isolate_host" => Some("edr.release_host".to_owned()),
            name => name.starts_with("block.").then(|| "unblock.ip".to_owned()),
        },
        no_inverse_because: (sketch.effect >= EffectClass::Contain).then(|| "a test".to_owned()),
        timeout: Span::seconds(30),
        retry: RetryDefault {
            attempts: 3,
            backoff: (Span::seconds(2), Span::minutes(5)),
            errors: ErrorKind::RETRYABLE.to_vec(),
        },
        needs_connection: true,
        merges_providers: sketch.name.starts_with("enrich."),
        renders_mail: sketch.name == "notify.entity",
        example: sketch.example,
    }
}

fn reading() -> Vec<ActionSpec> {
    vec![
        ActionSpec {
            needs_connection: false,
            ..spec(Sketch {
                name: "extract.text",
                effect: EffectClass::Read,
                exposure: Exposure::None,
                inputs: vec![("text", Type::String)],
                outputs: vec![
                    ("ips", Type::Text(TextForm::Ip).list()),
                    ("urls", Type::Text(TextForm::Url).list()),
                    ("note", Type::String.optional()),
                ],
                example: (
                    json!({"text": "see 203.0.113.7"}),
                    json!({"ips": ["203.0.113.7"], "urls": ["https://a.example/"]}),
                ),
            })
        },
        ActionSpec {
            needs_connection: false,
            exactly_one_of: vec![vec!["duration".to_owned(), "until".to_owned()]],
            ..spec(Sketch {
                name: "wait.for",
                effect: EffectClass::Read,
                exposure: Exposure::None,
                inputs: vec![
                    ("duration", Type::Duration.optional()),
                    ("until", Type::Time.optional()),
                ],
                outputs: vec![("at", Type::Time)],
                example: (json!({"duration": "1h"}), json!({"at": "2026-03-02T13:00:00Z"})),
            })
        },
        spec(Sketch {
            name: "enrich.url",
            effect: EffectClass::Read,
            exposure: Exposure::Lookup,
            inputs: vec![("url", Type::Text(TextForm::Url))],
            outputs: vec![("score", Type::Int), ("verdict", Type::Text(TextForm::Verdict))],
            example: (
                json!({"url": "https://a.example/"}),
                json!({"score": 90, "verdict": "malicious"}),
            ),
        }),
        spec(Sketch {
            name: "siem.search",
            effect: EffectClass::Read,
            exposure: Exposure::None,
            inputs: vec![("query", Type::String)],
            outputs: vec![("count", Type::Int)],
            example: (json!({"query": "seen"}), json!({"count": 2})),
        }),
    ]
}

fn acting() -> Vec<ActionSpec> {
    let text = || Type::String;
    vec![
        spec(Sketch {
            name: "ticket.open",
            effect: EffectClass::Record,
            exposure: Exposure::None,
            inputs: vec![("title", text())],
            outputs: vec![("id", Type::String)],
            example: (json!({"title": "t"}), json!({"id": "T-1"})),
        }),
        spec(Sketch {
            name: "notify.team",
            effect: EffectClass::Notify,
            exposure: Exposure::None,
            inputs: vec![("text", text())],
            outputs: vec![("id", Type::String)],
            example: (json!({"text": "t"}), json!({"id": "M-1"})),
        }),
        spec(Sketch {
            name: "notify.entity",
            effect: EffectClass::Notify,
            exposure: Exposure::None,
            inputs: vec![
                ("to", text()),
                ("template", text()),
                ("params", Type::Open.optional()),
            ],
            outputs: vec![("message_id", Type::String)],
            example: (
                json!({"to": "security", "template": "mail/hello"}),
                json!({"message_id": "<1@cert.example>"}),
            ),
        }),
    ]
}

fn asking() -> ActionSpec {
    let texts = || Type::String.list();
    ActionSpec {
        needs_connection: false,
        ..spec(Sketch {
            name: playbooks::action_spec::ASK_HUMAN,
            effect: EffectClass::Notify,
            exposure: Exposure::None,
            inputs: vec![
                ("who", texts()),
                ("question", Type::String),
                ("show", Type::Open.optional()),
                ("choices", texts()),
                ("within", Type::Duration),
                ("default", Type::String.optional()),
            ],
            outputs: vec![
                ("answer", Type::String),
                ("by", Type::String.optional()),
                ("comment", Type::String.optional()),
            ],
            example: (
                json!({"who": ["duty"], "question": "q", "choices": ["a", "b"], "within": "1h"}),
                json!({"answer": "a"}),
            ),
        })
    }
}

fn taking_back() -> Vec<ActionSpec> {
    let text = || Type::String;
    vec![
        spec(Sketch {
            name: "edr.release_host",
            effect: EffectClass::Contain,
            exposure: Exposure::None,
            inputs: vec![("id", text())],
            outputs: vec![("state", Type::String)],
            example: (json!({"id": "h"}), json!({"state": "free"})),
        }),
        spec(Sketch {
            name: "unblock.ip",
            effect: EffectClass::Contain,
            exposure: Exposure::None,
            inputs: vec![
                ("ip", Type::Text(TextForm::Ip).optional()),
                ("domain", Type::Text(TextForm::Domain).optional()),
            ],
            outputs: vec![("ip", Type::Text(TextForm::Ip).optional())],
            example: (json!({"ip": "203.0.113.7"}), json!({"ip": "203.0.113.7"})),
        }),
    ]
}

fn changing_customers() -> Vec<ActionSpec> {
    let text = || Type::String;
    vec![
        spec(Sketch {
            name: "block.ip",
            effect: EffectClass::Contain,
            exposure: Exposure::Active,
            inputs: vec![("ip", Type::Text(TextForm::Ip)), ("reason", text())],
            outputs: vec![("ip", Type::Text(TextForm::Ip))],
            example: (
                json!({"ip": "203.0.113.7", "reason": "r"}),
                json!({"ip": "203.0.113.7"}),
            ),
        }),
        spec(Sketch {
            name: "block.net",
            effect: EffectClass::Contain,
            exposure: Exposure::Active,
            inputs: vec![("cidr", Type::Text(TextForm::Cidr)), ("reason", text())],
            outputs: vec![("cidr", Type::Text(TextForm::Cidr))],
            example: (
                json!({"cidr": "203.0.113.0/24", "reason": "r"}),
                json!({"cidr": "203.0.113.0/24"}),
            ),
        }),
        spec(Sketch {
            name: "block.domain",
            effect: EffectClass::Contain,
            exposure: Exposure::Active,
            inputs: vec![("domain", Type::Text(TextForm::Domain)), ("reason", text())],
            outputs: vec![("domain", Type::Text(TextForm::Domain))],
            example: (
                json!({"domain": "bad.example", "reason": "r"}),
                json!({"domain": "bad.example"}),
            ),
        }),
        spec(Sketch {
            name: "edr.isolate_host",
            effect: EffectClass::Contain,
            exposure: Exposure::Active,
            inputs: vec![("id", text())],
            outputs: vec![("state", Type::String)],
            example: (json!({"id": "h"}), json!({"state": "isolated"})),
        }),
        spec(Sketch {
            name: "http.request",
            effect: EffectClass::Contain,
            exposure: Exposure::Public,
            inputs: vec![("method", text()), ("path", text())],
            outputs: vec![("code", Type::Int)],
            example: (json!({"method": "GET", "path": "/"}), json!({"code": 200})),
        }),
        spec(Sketch {
            name: "edr.wipe",
            effect: EffectClass::Destroy,
            exposure: Exposure::Active,
            inputs: vec![("id", text())],
            outputs: vec![("state", Type::String)],
            example: (json!({"id": "h"}), json!({"state": "wiped"})),
        }),
    ]
}

fn provider(capability: &str, provider: &str, recovery: Recovery) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: provider.to_owned(),
        recovery,
        settle: Span::minutes(1),
        discloses_to: "a test".to_owned(),
        expires_by_itself: false,
    }
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        Self {
            actions: reading()
                .into_iter()
                .chain(acting())
                .chain(changing_customers())
                .chain(taking_back())
                .chain([asking()])
                .map(|spec| (spec.name.clone(), spec))
                .collect(),
            providers: vec![
                provider("extract.text", "house", Recovery::Read),
                provider(playbooks::action_spec::ASK_HUMAN, "house", Recovery::Set),
                provider("enrich.url", "lookup", Recovery::Read),
                provider("siem.search", "siem", Recovery::Read),
                provider("ticket.open", "tickets", Recovery::Keyed),
                provider("notify.team", "chat", Recovery::Once),
                provider("notify.entity", "smtp", Recovery::Once),
                provider("block.ip", "block_list", Recovery::Set),
                provider("block.net", "block_list", Recovery::Set),
                provider("block.domain", "block_list", Recovery::Set),
                provider("edr.isolate_host", "edr", Recovery::Probed),
                provider("edr.release_host", "edr", Recovery::Probed),
                provider("unblock.ip", "block_list", Recovery::Set),
                provider("http.request", "http", Recovery::Once),
                provider("edr.wipe", "edr", Recovery::Probed),
            ],
        }
    }
}

impl Catalog for Catalogue {
    fn action(&self, name: &str) -> Option<&ActionSpec> {
        self.actions.get(name)
    }
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.actions.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
    fn providers(&self, capability: &str) -> Vec<&ProviderSpec> {
        self.providers
            .iter()
            .filter(|spec| spec.capability == capability)
            .collect()
    }
}
