//! The page shows nothing to strangers, acts on nothing but one good ticket, and lets no text become
//! a tag.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use state::access::Permission;
use tower::ServiceExt as _;

use super::tickets::{Sight, TICKET_MINUTES, TICKETS_MAX, Tickets};
use crate::fake::{Fake, token};
use crate::pace::RequestLimits;
use crate::service::Service;

struct World(Arc<Fake>, Arc<Service>);

impl World {
    fn new() -> Self {
        let fake = Fake::new();
        let service = Service::new(fake.clone(), fake.clone(), RequestLimits::default());
        Self(fake, service)
    }

    async fn send(&self, request: Request<Body>) -> (u16, String) {
        let response: Response = self.1.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let policy = response.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.into()).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send(Request::builder().uri(path).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::builder().method("POST").uri(path);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Signs in and gives the ticket of the page.
    async fn ticket(&self) -> String {
        let (status, html) = self.post("/a/A-1", &[("token", &everything())]).await;
        assert_eq!(status, 200, "{html}");
        let (_, rest) = html.split_once("name=\"ticket\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

fn everything() -> String {
    token(Permission::ALL, false).0
}

#[tokio::test]
async fn looking_at_the_link_says_nothing_and_is_the_same_for_every_number() {
    let world = World::new();
    let (status, ours) = world.get("/a/A-1").await;
    assert_eq!(status, 200);
    for other in ["A-2", "A-4711"] {
        let (status, html) = world.get(&format!("/a/{other}")).await;
        assert_eq!((status, html.replace(other, "A-1")), (200, ours.clone()));
    }
    assert!(!ours.contains("Block") && !ours.contains("203.0.113.7"), "{ours}");
    assert!(
        ours.contains("<form method=\"post\" action=\"/a/A-1\">"),
        "{ours}"
    );
    for strange in ["/a/93", "/a/A-1%3Cscript%3E", "/a/A-01", "/a/"] {
        let (status, text) = world.get(strange).await;
        assert!(matches!(status, 401 | 404), "{strange}: {status}");
        assert!(!text.contains("<script"), "{text}");
    }
    assert_eq!(world.get("/page.css").await.0, 200);
}

#[tokio::test]
async fn whoever_may_not_decide_sees_nothing() {
    let world = World::new();
    let without = token(&Fake::all_but(Permission::Approve), false).0;
    let over = token(Permission::ALL, true).0;
    let long = "x".repeat(4_096);
    for wrong in ["", "nobody", &without, &over, &long] {
        let (status, html) = world.post("/a/A-1", &[("token", wrong)]).await;
        assert_eq!(status, 401, "{wrong}");
        assert!(
            !html.contains("203.0.113.7") && !html.contains("ticket"),
            "{html}"
        );
    }
    let (status, html) = world.post("/a/A-1", &[]).await;
    assert_eq!(status, 400);
    assert!(!html.contains("203.0.113.7"), "{html}");
    // Another entity's, and one that is not there, read alike.
    let theirs = world.post("/a/A-2", &[("token", &everything())]).await;
    let nothing = world.post("/a/A-9", &[("token", &everything())]).await;
    assert_eq!(theirs.0, 404);
    assert_eq!(theirs.1.replace("A-2", "A-9"), nothing.1);
}

#[tokio::test]
async fn whatever_a_case_says_stays_text() {
    let world = World::new();
    let (_, html) = world.post("/a/A-1", &[("token", &everything())]).await;
    assert!(html.contains("Block &lt;b&gt;it&lt;/b&gt;?"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
    assert!(html.contains("&quot;&gt;&lt;img src=x&gt;"), "{html}");
    for tag in ["<script", "<img", "<b>", "<a ", "onload", "style="] {
        assert!(!html.contains(tag), "{tag}: {html}");
    }
    assert!(!html.contains(&everything()), "the token is not written back");
}

#[tokio::test(start_paused = true)]
async fn a_ticket_decides_once_soon_and_only_what_it_was_for() {
    let world = World::new();
    let decision = |ticket: &str| {
        [
            ("ticket".to_owned(), ticket.to_owned()),
            ("decision".to_owned(), "approve".to_owned()),
        ]
    };
    let send = async |path: &str, ticket: &str| {
        let fields = decision(ticket);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        world.post(path, &fields).await
    };
    let ticket = world.ticket().await;
    let (status, html) = send("/a/A-1", &ticket).await;
    assert_eq!(status, 200, "{html}");
    assert!(html.contains("Your decision is recorded."), "{html}");
    for used in [ticket.as_str(), "", "00"] {
        let (status, html) = send("/a/A-1", used).await;
        assert_eq!(status, 403, "{used}");
        assert!(html.contains("Nothing was decided."), "{html}");
    }
    // One of another number.
    let ticket = world.ticket().await;
    assert_eq!(send("/a/A-2", &ticket).await.0, 403);
    // One that is over.
    let ticket = world.ticket().await;
    tokio::time::advance(std::time::Duration::from_secs(TICKET_MINUTES * 60)).await;
    assert_eq!(send("/a/A-1", &ticket).await.0, 403);
    // One of a token that was revoked meanwhile.
    let ticket = world.ticket().await;
    world.0.revoke_all();
    assert_eq!(send("/a/A-1", &ticket).await.0, 401);
}

#[tokio::test]
async fn a_form_of_another_kind_is_not_read() {
    let world = World::new();
    let request = Request::builder().method("POST").uri("/a/A-1");
    let request = request.header(CONTENT_TYPE, "text/plain");
    let (status, _) = world.send(request.body(Body::from("token=x")).unwrap()).await;
    assert_eq!(status, 415);
    let many = "x".repeat(crate::routes::FORM_BYTES_MAX + 1);
    assert_eq!(world.post("/a/A-1", &[("token", &many)]).await.0, 413);
}

#[tokio::test(start_paused = true)]
async fn as_many_tickets_are_held_as_the_limit_says() {
    let tickets = Tickets::default();
    let give = |number: usize| {
        let mut random = [0; 32];
        random[..8].copy_from_slice(&number.to_be_bytes());
        tickets.give(random, Sight::new(state::ids::InquiryId::new(1), "t", None))
    };
    let first = give(0);
    for number in 1..TICKETS_MAX {
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        give(number);
    }
    assert!(tickets.take(&first).is_some(), "at the limit all are held");
    let second = give(TICKETS_MAX);
    for number in TICKETS_MAX + 1..TICKETS_MAX + 3 {
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        give(number);
    }
    assert!(
        tickets.take(&second).is_some(),
        "the oldest gives way, not the newest"
    );
}
