//! An entity's tenant of Microsoft: Defender for Endpoint and Entra ID, and the server that gives
//! out tokens for both.
//!
//! One machine and one account. An order to the machine is taken at the second look at it.

use http::Method;
use serde_json::{Value, json};

use super::exchange::{Asked, Reply, Service};
use super::ledger::Ledger;

/// What the token server gives out, and what both services ask for.
const TOKEN: &str = "a-token-of-the-range";
/// The machine.
const MACHINE_NAME: &str = "pc-7.ville.example";
/// The file that was seen on it.
const FILE_SHA1: &str = "8563f95b2f8a284fc99da44500cd51a77c1ff36c";
const FILE_SHA256: &str = "dc0ade0c95d6db98882bc8fa6707e64353cd6f7767ff48d6a81a6c2aef21c608";

#[derive(Debug)]
pub(super) struct Tenant {
    orders: Vec<Value>,
    indicators: Vec<Value>,
    account_enabled: bool,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            orders: Vec::new(),
            indicators: Vec::new(),
            account_enabled: true,
        }
    }
}

impl Tenant {
    pub(super) fn answer(&mut self, service: Service, asked: &Asked, ledger: &Ledger) -> Reply {
        let parts = asked.parts();
        if parts == ["oauth2", "token"] {
            return token(asked);
        }
        let bearer = asked.headers.get(http::header::AUTHORIZATION);
        if bearer.is_none_or(|value| value.as_bytes() != format!("Bearer {TOKEN}").as_bytes()) {
            return Reply::json(401, &json!({"error": {"code": "Unauthorized"}}));
        }
        match service {
            Service::Entra => self.directory(asked, &parts, ledger),
            _ => self.defender(asked, &parts, ledger),
        }
    }

    fn defender(&mut self, asked: &Asked, parts: &[&str], ledger: &Ledger) -> Reply {
        match (&asked.method, parts) {
            (&Method::GET, ["machines", id]) => Reply::json(200, &machine(id)),
            (&Method::GET, ["machines", id, "alerts"]) => listed(&[alert(id)]),
            (&Method::POST, ["machines", id, order]) => self.take(id, order, asked, ledger),
            (&Method::GET, ["files", FILE_SHA256]) => {
                Reply::json(200, &json!({"sha1": FILE_SHA1, "sha256": FILE_SHA256}))
            }
            (&Method::GET, ["files", FILE_SHA1, "machines"]) => listed(&[machine("m1")]),
            (&Method::GET, ["machineactions"]) => listed(&self.orders),
            (&Method::GET, ["machineactions", id]) => {
                let found = self
                    .orders
                    .iter_mut()
                    .find(|order| order.get("id") == Some(&json!(id)));
                found.map_or_else(Reply::not_found, |order| {
                    put(order, "status", json!("Succeeded"));
                    Reply::json(200, order)
                })
            }
            (&Method::GET, ["indicators"]) => {
                let filter = asked.query("$filter").unwrap_or_default();
                let about = |one: &&Value| {
                    let value = one.get("indicatorValue").and_then(Value::as_str);
                    value.is_some_and(|value| filter.contains(value))
                };
                let found: Vec<Value> = self.indicators.iter().filter(about).cloned().collect();
                listed(&found)
            }
            (&Method::POST, ["indicators"]) => self.indicate(asked, ledger),
            (&Method::DELETE, ["indicators", id]) => {
                self.indicators.retain(|one| one.get("id") != Some(&json!(id)));
                ledger.happened(Service::Defender, "indicator deleted", id, &asked.body);
                Reply::empty(204)
            }
            _ => Reply::not_found(),
        }
    }

    /// A second order while one is open is refused.
    fn take(&mut self, machine: &str, order: &str, asked: &Asked, ledger: &Ledger) -> Reply {
        let kind = match order {
            "isolate" => "Isolate",
            "unisolate" => "Unisolate",
            _ => return Reply::not_found(),
        };
        let open = |order: &Value| order.get("status") == Some(&json!("Pending"));
        if self.orders.iter().any(open) {
            let error =
                json!({"code": "ActiveRequestAlreadyExists", "message": "Action is already in progress"});
            return Reply::json(400, &json!({"error": error}));
        }
        let number = self.orders.len();
        let order = json!({
            "id": format!("order-{number}"), "type": kind, "status": "Pending", "machineId": machine,
            "requestorComment": asked.json().get("Comment"), "computerDnsName": MACHINE_NAME,
            "creationDateTimeUtc": format!("2026-03-02T02:40:{number:02}Z"),
        });
        let what = if kind == "Isolate" {
            "host isolated"
        } else {
            "host released"
        };
        ledger.happened(Service::Defender, what, machine, &asked.body);
        self.orders.push(order.clone());
        Reply::json(201, &order)
    }

    fn indicate(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        let mut indicator = asked.json();
        let value = indicator.get("indicatorValue").cloned().unwrap_or_default();
        put(
            &mut indicator,
            "id",
            json!((995 + self.indicators.len()).to_string()),
        );
        self.indicators
            .retain(|one| one.get("indicatorValue") != Some(&value));
        self.indicators.push(indicator.clone());
        ledger.happened(
            Service::Defender,
            "indicator set",
            &value.to_string(),
            &asked.body,
        );
        Reply::json(200, &indicator)
    }

    fn directory(&mut self, asked: &Asked, parts: &[&str], ledger: &Ledger) -> Reply {
        match (&asked.method, parts) {
            (&Method::GET, ["users", id]) => Reply::json(
                200,
                &json!({
                    "id": id, "displayName": "A. Martin", "mail": "a.martin@ville.example",
                    "userPrincipalName": "a.martin@ville.example", "mobilePhone": "+33 6 00 00 00 00",
                    "accountEnabled": self.account_enabled,
                }),
            ),
            (&Method::PATCH, ["users", id]) => {
                let enabled = asked.json().get("accountEnabled") == Some(&json!(true));
                if enabled != self.account_enabled {
                    let what = if enabled {
                        "account enabled"
                    } else {
                        "account disabled"
                    };
                    ledger.happened(Service::Entra, what, id, &asked.body);
                }
                self.account_enabled = enabled;
                Reply::empty(204)
            }
            (&Method::POST, ["users", id, "revokeSignInSessions"]) => {
                ledger.happened(Service::Entra, "signed out", id, &asked.body);
                Reply::json(200, &json!({"value": true}))
            }
            (&Method::GET, ["reports", "authenticationMethods", "userRegistrationDetails", id]) => {
                Reply::json(200, &json!({"id": id, "isAdmin": false, "isMfaRegistered": true}))
            }
            (&Method::GET, ["auditLogs", "signIns"]) => listed(&[json!({
                "createdDateTime": "2026-03-01T07:58:12Z", "ipAddress": "198.51.100.20",
                "status": {"errorCode": 0}, "location": {"countryOrRegion": "FR"},
            })]),
            _ => Reply::not_found(),
        }
    }
}

/// A token for whoever has a name and a secret.
fn token(asked: &Asked) -> Reply {
    let given = |key: &str| asked.form(key).is_some_and(|value| !value.is_empty());
    let asks = asked.form("grant_type").as_deref() == Some("client_credentials");
    if asks && given("client_id") && given("client_secret") {
        let body = json!({"token_type": "Bearer", "expires_in": 3_599, "access_token": TOKEN});
        return Reply::json(200, &body);
    }
    Reply::json(
        401,
        &json!({"error": "invalid_client", "error_description": "no name or no secret"}),
    )
}

fn machine(id: &str) -> Value {
    json!({
        "id": id, "computerDnsName": MACHINE_NAME, "osPlatform": "Windows11", "deviceValue": "Normal",
        "lastSeen": "2026-03-02T02:31:00Z",
    })
}

fn alert(machine: &str) -> Value {
    json!({
        "id": "da637472900382838869_1364969609", "machineId": machine, "severity": "High",
        "title": "Low-reputation arbitrary code executed by signed executable",
        "lastEventTime": "2026-03-02T02:31:33Z",
        "evidence": [{
            "entityType": "File", "sha1": FILE_SHA1, "sha256": FILE_SHA256,
            "fileName": "suspicious.dll", "filePath": "c:\\temp",
        }],
    })
}

fn listed(items: &[Value]) -> Reply {
    Reply::json(200, &json!({"value": items}))
}

fn put(record: &mut Value, name: &str, value: Value) {
    if let Some(fields) = record.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
