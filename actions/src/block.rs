//! Blocking addresses, domains and links for one entity, and taking blocks back.
//!
//! Owns how a block enters the pull list or a firewall. Whether it may is the guardrails'
//! decision, made before anything here runs.

use ipnet::IpNet;
use playbooks::types::TextForm;
use playbooks::values::canonical_text;
use serde_json::{Map, Value};
use url::Url;

use crate::action::{ActionError, Call};
use crate::arguments;
use crate::extract::observables::canonical_domain;

pub(crate) mod indicators;
pub(crate) mod list;
pub(crate) mod opnsense;
pub(crate) mod specs;

/// What a block is about, in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// `ip`, `domain`, `url` or `hash`; also the name of the list it belongs to. A prefix is an `ip`.
    pub(crate) kind: &'static str,
    /// The input it came in: `ip`, `cidr`, `domain`, `url`, `hash`.
    pub(crate) input: &'static str,
    /// The canonical value.
    pub(crate) value: String,
}

impl Target {
    /// Reads the target out of a call of `block.<kind>` or `unblock.<kind>`. Ambiguous forms are
    /// refused.
    pub(crate) fn of(call: &Call) -> Result<Self, ActionError> {
        let family = call.action.split_once('.').map_or("", |(_, family)| family);
        let refuse = |input: &str, text: &str| {
            let shown: String = text.chars().take(80).collect();
            ActionError::invalid(format!("`{shown}` is not a {input} that can be blocked"))
        };
        let (kind, input, value) = match family {
            "domain" => {
                let text = arguments::text(call, "domain")?;
                (
                    "domain",
                    "domain",
                    canonical_domain(text).ok_or_else(|| refuse("domain", text))?,
                )
            }
            "url" => {
                let text = arguments::text(call, "url")?;
                let url = Url::parse(text)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                    .ok_or_else(|| refuse("url", text))?;
                ("url", "url", url.to_string())
            }
            "hash" => {
                let text = arguments::text(call, "hash")?;
                let hash = canonical_text(text, TextForm::Hash).map_err(|_| refuse("hash", text))?;
                ("hash", "hash", hash)
            }
            "ip" => match (
                arguments::optional_text(call, "ip")?,
                arguments::optional_text(call, "cidr")?,
            ) {
                (Some(text), None) => {
                    let ip: std::net::IpAddr = text.parse().map_err(|_| refuse("ip", text))?;
                    ("ip", "ip", ip.to_string())
                }
                (None, Some(text)) => {
                    let prefix: IpNet = text.parse().map_err(|_| refuse("cidr", text))?;
                    ("ip", "cidr", prefix.trunc().to_string())
                }
                _ => {
                    return Err(ActionError::invalid(
                        "exactly one of `ip` and `cidr` must be given",
                    ));
                }
            },
            _ => return Err(ActionError::invalid(format!("{} blocks nothing", call.action))),
        };
        Ok(Self { kind, input, value })
    }

    /// The target as an object under the name of its input.
    pub(crate) fn as_input(&self) -> Map<String, Value> {
        [(self.input.to_owned(), Value::String(self.value.clone()))]
            .into_iter()
            .collect()
    }
}

/// The direction of a call; `both` when none is given.
pub(crate) fn direction(call: &Call) -> Result<&str, ActionError> {
    Ok(arguments::optional_text(call, "direction")?.unwrap_or("both"))
}

/// Every block ends. The engine sets the end; without one nothing is blocked.
pub(crate) fn must_end(call: &Call) -> Result<(), ActionError> {
    match call.until {
        Some(_) => Ok(()),
        None => Err(ActionError::policy("a block without an end is not made")),
    }
}

#[cfg(test)]
mod tests;
