//! The post and how it is found again.

use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::Mattermost;
use crate::action::{Action, Probe};
use crate::testing::fake::FarEnd;
use crate::testing::{HeldFiles, body, call, through};

fn channels() -> Value {
    json!({"channels": {"duty": "4xp9fdt77pncbef59f4k1qe83o"}})
}

#[tokio::test]
async fn a_post_carries_its_key_and_calls_nobody() {
    let far = FarEnd::start(|_| (201, body("mattermost/post.json"))).await;
    let door = far.door("mattermost", channels());
    let call = call(
        "notify.team",
        json!({"channel": "duty", "urgent": true, "text": "@here [x](http://evil.example) failed"}),
    );
    let performed = Mattermost::new()
        .perform(&call, through(&door, &HeldFiles::default()))
        .await
        .unwrap();
    assert_eq!(performed.output, json!({"id": "o5h6kwhpx7ya9kzjmk8gdt1o1c"}));
    let seen = far.seen();
    assert_eq!(far.lines(), ["POST /api/v4/posts"]);
    assert_eq!(
        seen[0].body,
        json!({
            "channel_id": "4xp9fdt77pncbef59f4k1qe83o",
            "message": "TLP:AMBER @\u{200c}here [x](hxxp://evil[.]example) failed",
            "pending_post_id": call.marker(),
            "props": {"sortie_key": call.key},
            "metadata": {"priority": {"priority": "urgent"}},
        })
    );
}

#[tokio::test]
async fn a_post_is_found_by_its_key_only() {
    let call = call("notify.team", json!({"channel": "duty", "text": "x"}));
    for (key, found) in [(call.key.clone(), true), ("0".repeat(64), false)] {
        let mut posts = body("mattermost/posts.json");
        posts["posts"]["o5h6kwhpx7ya9kzjmk8gdt1o1c"]["props"]["sortie_key"] = json!(key);
        let far = FarEnd::start(move |_| (200, posts.clone())).await;
        let door = far.door("mattermost", channels());
        let probe = Mattermost::new()
            .probe(&call, through(&door, &HeldFiles::default()))
            .await;
        assert_eq!(matches!(probe, Probe::Done(_)), found, "{probe:?}");
        assert_eq!(probe == Probe::NotDone, !found, "{probe:?}");
        let since = call.now.as_millisecond() - 300_000;
        assert_eq!(
            far.lines(),
            [format!(
                "GET /api/v4/channels/4xp9fdt77pncbef59f4k1qe83o/posts?since={since}"
            )]
        );
    }
}

#[tokio::test]
async fn failures_are_told_apart() {
    let call = call("notify.team", json!({"channel": "duty", "text": "x"}));
    for (status, kind, not_sent) in [
        (403, ErrorKind::Rejected, true),
        (429, ErrorKind::Throttled, true),
        (500, ErrorKind::ServerError, false),
        (201, ErrorKind::BadAnswer, false),
    ] {
        let far = FarEnd::start(move |_| (status, json!({}))).await;
        let door = far.door("mattermost", channels());
        let files = HeldFiles::default();
        let error = Mattermost::new()
            .perform(&call, through(&door, &files))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.not_sent),
            (kind, not_sent),
            "{status}: {error}"
        );
        let probe = Mattermost::new().probe(&call, through(&door, &files)).await;
        assert!(matches!(probe, Probe::CannotTell(_)), "{status}: {probe:?}");
    }
}

#[tokio::test]
async fn an_unknown_channel_is_told_before_anything_is_sent() {
    let far = FarEnd::start(|_| (201, json!({}))).await;
    let door = far.door("mattermost", channels());
    let call = call("notify.team", json!({"channel": "../users", "text": "x"}));
    let error = Mattermost::new()
        .perform(&call, through(&door, &HeldFiles::default()))
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.not_sent), (ErrorKind::Invalid, true));
    assert!(far.seen().is_empty());
}
