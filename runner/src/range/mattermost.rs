//! Mattermost posts: a repeat with the same pending id within its window is the same post.

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::exchange::{Asked, Reply, Service};
use super::ledger::Ledger;

/// How long a pending id counts.
const PENDING_WINDOW: Duration = Duration::from_secs(30);
/// When the first post was, milliseconds since 1970; each later one comes a second after.
const FIRST_POST_AT: u64 = 1_772_420_651_000;

#[derive(Debug)]
struct Post {
    body: Value,
    channel: String,
    pending: String,
    made: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Mattermost {
    posts: Vec<Post>,
}

impl Mattermost {
    pub(super) fn answer(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        let parts = asked.parts();
        if let ["hooks", id] = parts.as_slice() {
            let id = (*id).to_owned();
            ledger.happened(Service::Mattermost, "hook called", &id, &asked.body);
            return Reply::of("text/plain", "ok".to_owned());
        }
        if !asked.authorized(&["Bearer"]) {
            return refusal(
                401,
                "api.context.session_expired.app_error",
                "Invalid or expired session, please login again.",
            );
        }
        match parts.as_slice() {
            ["posts"] if asked.method == Method::POST => self.create(asked, ledger),
            ["posts", id, "patch"] if asked.method == Method::PUT => self.patch(id, asked, ledger),
            ["posts", id] if asked.method == Method::GET => self
                .posts
                .iter()
                .find(|post| post.body.get("id").and_then(Value::as_str) == Some(id))
                .map_or_else(missing, |post| Reply::json(200, &post.body)),
            ["channels", channel, "posts"] if asked.method == Method::GET => self.list(channel),
            _ => missing(),
        }
    }

    fn create(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        let body = asked.json();
        let text = |key: &str| {
            body.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (channel, message, pending) = (text("channel_id"), text("message"), text("pending_post_id"));
        if channel.is_empty() || message.is_empty() {
            return refusal(
                400,
                "api.context.invalid_body_param.app_error",
                "Invalid or missing channel_id or message.",
            );
        }
        let now = Instant::now();
        let repeated = self.posts.iter().find(|post| {
            !pending.is_empty() && post.pending == pending && now.duration_since(post.made) < PENDING_WINDOW
        });
        if let Some(first) = repeated {
            return Reply::json(201, &first.body);
        }
        let number = u64::try_from(self.posts.len()).unwrap_or(u64::MAX);
        let at = FIRST_POST_AT.saturating_add(number.saturating_mul(1_000));
        let id = format!("post{number:022}");
        ledger.happened(Service::Mattermost, "post created", &id, &asked.body);
        let post = json!({
            "id": id, "create_at": at, "update_at": at, "edit_at": 0, "delete_at": 0, "is_pinned": false,
            "user_id": "sortiebot00000000000000000", "channel_id": channel, "root_id": text("root_id"),
            "message": message, "type": "", "props": body.get("props").cloned().unwrap_or_else(|| json!({})),
            "hashtags": "", "pending_post_id": pending, "metadata": {},
        });
        self.posts.push(Post {
            body: post.clone(),
            channel,
            pending,
            made: now,
        });
        Reply::json(201, &post)
    }

    fn patch(&mut self, id: &str, asked: &Asked, ledger: &Ledger) -> Reply {
        let found = self
            .posts
            .iter_mut()
            .find(|post| post.body.get("id").and_then(Value::as_str) == Some(id));
        let Some(post) = found else { return missing() };
        if let (Value::Object(post), Value::Object(changes)) = (&mut post.body, asked.json()) {
            post.extend(
                changes
                    .into_iter()
                    .filter(|(key, _)| key == "message" || key == "props"),
            );
        }
        ledger.happened(Service::Mattermost, "post patched", id, &asked.body);
        Reply::json(200, &post.body)
    }

    /// Every post of a channel. `since` is not looked at: the clock of the fake is its own.
    fn list(&self, channel: &str) -> Reply {
        let found: Vec<&Post> = self
            .posts
            .iter()
            .rev()
            .filter(|post| post.channel == channel)
            .collect();
        let id = |post: &Post| {
            let id = post.body.get("id").and_then(Value::as_str);
            id.unwrap_or_default().to_owned()
        };
        let posts: Map<String, Value> = found.iter().map(|post| (id(post), post.body.clone())).collect();
        let order: Vec<String> = found.into_iter().map(id).collect();
        Reply::json(
            200,
            &json!({"order": order, "posts": posts, "next_post_id": "", "prev_post_id": ""}),
        )
    }
}

fn refusal(status: u16, id: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"id": id, "message": message, "status_code": status}),
    )
}

fn missing() -> Reply {
    refusal(
        404,
        "api.context.404.app_error",
        "Sorry, we could not find the page.",
    )
}
