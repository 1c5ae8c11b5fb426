//! `notify.team` in Mattermost (API v4).
//!
//! Owns the post and how it is found again. A button or reply there approves nothing.

use async_trait::async_trait;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{team, text};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::way_out;
use crate::egress::{Door, Request};

#[cfg(test)]
mod tests;

/// How far before the recorded start of the attempt the channel is searched, for clocks that differ.
const CLOCK_DIFFERENCE: Span = Span::minutes(5);
/// How long after a call a post may still be on its way into the channel's list.
const SETTLE: Span = Span::seconds(5);

/// Posts to our own team.
#[derive(Debug)]
pub(crate) struct Mattermost {
    provider: ProviderSpec,
}

/// The part of a post that is read.
#[derive(Debug, Deserialize)]
struct FarPost {
    id: String,
    #[serde(default)]
    props: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct FarPosts {
    posts: std::collections::BTreeMap<String, FarPost>,
}

impl Mattermost {
    pub(crate) fn new() -> Self {
        Self {
            provider: ProviderSpec {
                capability: "notify.team".to_owned(),
                provider: "mattermost".to_owned(),
                recovery: Recovery::Probed,
                settle: SETTLE,
                discloses_to: "our own team".to_owned(),
                expires_by_itself: false,
            },
        }
    }

    async fn find(&self, call: &Call, door: &Door) -> Result<Option<FarPost>, ActionError> {
        let post = team::post(call, door)?;
        let since = call.now.as_millisecond() - CLOCK_DIFFERENCE.as_milliseconds();
        let answer = door
            .send(
                Request::get("api/v4/channels")
                    .segment(post.address)
                    .path("posts")
                    .query("since", since.to_string()),
            )
            .await?;
        let posts: FarPosts = answer.json_as()?;
        Ok(posts
            .posts
            .into_values()
            .find(|post| post.props.get("sortie_key").and_then(Value::as_str) == Some(call.key.as_str())))
    }
}

#[async_trait]
impl Action for Mattermost {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let post = team::post(call, door)?;
        let harmless = text::break_mentions(&text::defang(&post.text, &[]));
        let mut body = json!({
            "channel_id": post.address,
            "message": format!("{} {harmless}", call.tlp.label()),
            "pending_post_id": call.marker(),
            "props": {"sortie_key": call.key},
        });
        if let (true, Some(body)) = (post.urgent, body.as_object_mut()) {
            body.insert("metadata".to_owned(), json!({"priority": {"priority": "urgent"}}));
        }
        let answer = door.send(Request::post("api/v4/posts").json(body)).await?;
        Ok(performed(answer.json_as()?))
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = match way_out(context) {
            Ok(door) => self.find(call, door).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(post)) => Probe::Done(performed(post)),
            Ok(None) => Probe::NotDone,
            Err(error) => Probe::CannotTell(error.detail),
        }
    }
}

fn performed(post: FarPost) -> Performed {
    Performed {
        output: json!({"id": post.id}),
        reference: Some(post.id),
        changes: Vec::new(),
    }
}
