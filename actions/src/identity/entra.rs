//! Provider `entra`: Microsoft Entra ID, over Microsoft Graph v1.0.
//!
//! Owns what its accounts and sign-ins look like. Sources: `microsoftgraph/microsoft-graph-docs-contrib`,
//! `api-reference/v1.0`. The tenant is the entity's own: nothing of it reaches anybody else. Graph
//! answers a change with an empty 204, and a sign-out with 200 or 204 depending on its age.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use jiff::Timestamp;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use playbooks::types::TextForm;
use playbooks::values::canonical_text;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::edr::defender::{put, since};
use crate::egress::{Door, Request};
use crate::notify::text::one_line;
use crate::odata;

#[cfg(test)]
mod tests;

/// Pages of sign-ins that are read.
const PAGES_MAX: usize = 5;
/// Sign-ins of one page, the most that Graph gives.
const PAGE_SIZE: &str = "1000";
/// Sign-ins that are passed on; the countries are of all that were read.
const EVENTS_MAX: usize = 200;
/// The fields of an account that are asked for.
const ACCOUNT_FIELDS: &str =
    "id,displayName,mail,userPrincipalName,mobilePhone,accountEnabled,signInSessionsValidFromDateTime";

/// Every capability of this provider.
pub(crate) fn actions() -> Vec<Arc<dyn Action>> {
    [
        ("identity.user", Recovery::Read),
        ("identity.signins", Recovery::Read),
        ("identity.sign_out", Recovery::Set),
        ("identity.disable_user", Recovery::Set),
        ("identity.enable_user", Recovery::Set),
    ]
    .map(|(capability, recovery)| -> Arc<dyn Action> {
        Arc::new(Entra {
            provider: ProviderSpec {
                capability: capability.to_owned(),
                provider: "entra".to_owned(),
                recovery,
                settle: Span::milliseconds(0),
                discloses_to: "the entity's own tenant of Entra ID".to_owned(),
                expires_by_itself: false,
            },
        })
    })
    .to_vec()
}

#[derive(Debug)]
struct Entra {
    provider: ProviderSpec,
}

/// An account; the fields that are read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    id: String,
    display_name: Option<String>,
    mail: Option<String>,
    user_principal_name: String,
    mobile_phone: Option<String>,
    #[serde(rename = "accountEnabled")]
    enabled: bool,
    sign_in_sessions_valid_from_date_time: Option<Timestamp>,
}

/// How a person signs in. Some answers hold it below `value`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    is_admin: Option<bool>,
    is_mfa_registered: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignIn {
    created_date_time: Timestamp,
    ip_address: Option<String>,
    app_display_name: Option<String>,
    location: Option<Location>,
    status: Option<Status>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    country_or_region: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    error_code: Option<i64>,
}

#[async_trait]
impl Action for Entra {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let output = match self.provider.capability.as_str() {
            "identity.user" => user(door, arguments::text(call, "id")?).await?,
            "identity.signins" => sign_ins(call, door).await?,
            "identity.sign_out" => {
                let account = same_account(call, door).await?;
                let request = Request::post("users")
                    .segment(account.id)
                    .path("revokeSignInSessions")
                    .json(json!({}));
                door.send(request).await?;
                signed_out(call)?
            }
            _ => {
                let account = same_account(call, door).await?;
                let request = Request::new(Method::PATCH)
                    .path("users")
                    .segment(account.id)
                    .json(json!({"accountEnabled": self.enables()}));
                door.send(request).await?;
                self.switched(call)?
            }
        };
        Ok(Performed::output(output))
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        if self.provider.recovery == Recovery::Read {
            return Probe::CannotTell("reading leaves nothing behind to ask for; repeat it".to_owned());
        }
        let found = async {
            let account = same_account(call, way_out(context)?).await?;
            if self.provider.capability == "identity.sign_out" {
                let since = account.sign_in_sessions_valid_from_date_time;
                let done = since.is_some_and(|since| since >= call.now);
                return if done {
                    signed_out(call).map(Some)
                } else {
                    Ok(None)
                };
            }
            if account.enabled == self.enables() {
                self.switched(call).map(Some)
            } else {
                Ok(None)
            }
        };
        match found.await {
            Ok(Some(output)) => Probe::Done(Performed::output(output)),
            Ok(None) => Probe::NotDone,
            Err(error) => Probe::CannotTell(ActionError::to_string(&error)),
        }
    }
}

impl Entra {
    fn enables(&self) -> bool {
        self.provider.capability == "identity.enable_user"
    }

    fn switched(&self, call: &Call) -> Result<Value, ActionError> {
        Ok(json!({"user": arguments::text(call, "user")?, "disabled": !self.enables()}))
    }
}

fn signed_out(call: &Call) -> Result<Value, ActionError> {
    Ok(json!({"user": arguments::text(call, "user")?, "signed_out": true}))
}

async fn account(door: &Door, id: &str) -> Result<Account, ActionError> {
    let request = Request::get("users").segment(id).query("$select", ACCOUNT_FIELDS);
    door.send(request).await?.json_as()
}

/// The guardrails judged the account by the name in the call; it has to be that account.
async fn same_account(call: &Call, door: &Door) -> Result<Account, ActionError> {
    let account = account(door, arguments::text(call, "user")?).await?;
    let named = arguments::text(call, "account")?;
    if account.user_principal_name.eq_ignore_ascii_case(named) {
        return Ok(account);
    }
    Err(ActionError::refused(format!(
        "the directory knows the account {} as {}, not as `{}`",
        one_line(&account.id, 80),
        one_line(&account.user_principal_name, 120),
        one_line(named, 120)
    )))
}

async fn user(door: &Door, id: &str) -> Result<Value, ActionError> {
    let account = account(door, id).await?;
    let registration = registration(door, &account.id).await?;
    let mut output = json!({
        "id": account.id,
        "account": account.user_principal_name,
        "name": account.display_name.as_deref().unwrap_or(&account.user_principal_name),
        "disabled": !account.enabled,
    });
    let email = account.mail.as_deref();
    let email = email.and_then(|text| canonical_text(text, TextForm::Email).ok());
    let phone = account.mobile_phone.as_deref().and_then(phone);
    let (admin, mfa) = registration.map_or((None, None), |found| (found.is_admin, found.is_mfa_registered));
    put(&mut output, "email", email.map(Value::from));
    put(&mut output, "phone", phone.map(Value::from));
    put(&mut output, "mfa", mfa.map(Value::from));
    put(&mut output, "privileged", admin.map(Value::from));
    Ok(output)
}

/// How a person signs in; nothing when the directory does not say. Absent is not `false`: a
/// playbook has to say what it takes an unknown person for.
async fn registration(door: &Door, id: &str) -> Result<Option<Registration>, ActionError> {
    let request = Request::get("reports/authenticationMethods/userRegistrationDetails")
        .segment(id)
        .data_status(403)
        .data_status(404);
    let answer = door.send(request).await?;
    if answer.status() >= 400 {
        return Ok(None);
    }
    let body = answer.json()?;
    let found = body.get("value").unwrap_or(&body);
    serde_json::from_value(found.clone())
        .map(Some)
        .map_err(|_| ActionError::bad_answer("the answer is JSON, but no registration of a person"))
}

/// A phone number in international form, without the blanks and signs that people write.
fn phone(text: &str) -> Option<String> {
    let bare: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '\u{a0}'))
        .collect();
    canonical_text(&bare, TextForm::Phone).ok()
}

async fn sign_ins(call: &Call, door: &Door) -> Result<Value, ActionError> {
    let user = arguments::text(call, "user")?;
    let mut filter = format!(
        "userId eq {} and createdDateTime ge {}",
        odata::literal(user),
        since(call, "since")?
    );
    if let Some(before) = arguments::optional_text(call, "before")? {
        let before: Timestamp = before
            .parse()
            .map_err(|_| ActionError::invalid("`before` is not a time"))?;
        filter.push_str(&format!(" and createdDateTime lt {before}"));
    }
    let request = Request::get("auditLogs/signIns")
        .query("$filter", filter)
        .query("$top", PAGE_SIZE);
    let found: Vec<SignIn> = odata::list(door, request, PAGES_MAX).await?;
    let mut countries: Vec<String> = found
        .iter()
        .filter(|one| one.succeeded())
        .filter_map(SignIn::country)
        .collect();
    countries.sort_unstable();
    countries.dedup();
    let events: Vec<Value> = found.iter().take(EVENTS_MAX).map(SignIn::event).collect();
    Ok(json!({"events": events, "countries": countries}))
}

impl SignIn {
    fn succeeded(&self) -> bool {
        let code = self.status.as_ref().and_then(|status| status.error_code);
        code == Some(0)
    }

    fn country(&self) -> Option<String> {
        let country = self.location.as_ref()?.country_or_region.as_deref()?.trim();
        (!country.is_empty()).then(|| country.to_owned())
    }

    fn event(&self) -> Value {
        let mut event = json!({
            "at": self.created_date_time.to_string(),
            "succeeded": self.succeeded(),
        });
        let ip = self.ip_address.as_deref();
        let ip = ip.and_then(|text| canonical_text(text, TextForm::Ip).ok());
        put(&mut event, "ip", ip.map(Value::from));
        put(&mut event, "country", self.country().map(Value::from));
        put(&mut event, "app", self.app_display_name.clone().map(Value::from));
        event
    }
}
