//! The table refuses whom it must, and every answer has the promised form.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use state::access::Permission;
use tower::ServiceExt as _;

use super::Service;
use crate::fake::inquiries::inquiry_of;
use crate::fake::{Fake, OURS, THEIRS, incident_of, run_of, token};
use crate::pace::RequestLimits;
use crate::routes::{ROUTES, Route, Verb};
use crate::view::FORMAT;

mod answers;

struct World {
    fake: Arc<Fake>,
    service: Arc<Service>,
}

fn world() -> World {
    world_with(RequestLimits::default())
}

fn world_with(limits: RequestLimits) -> World {
    let fake = Fake::new();
    let service = Service::new(fake.clone(), fake.clone(), limits);
    World { fake, service }
}

impl World {
    async fn send(&self, request: Request<Body>) -> Response {
        self.service.router().oneshot(request).await.unwrap()
    }

    async fn status(&self, request: Request<Body>) -> u16 {
        self.send(request).await.status().as_u16()
    }
}

fn everything() -> String {
    token(Permission::ALL, false).0
}

/// A request that fits a route, for the things of an entity.
fn fitting(route: &Route, entity: &str, authorization: Option<&str>) -> Request<Body> {
    let id = if route.path.contains("/approvals/") {
        inquiry_of(entity).to_string()
    } else if route.path.contains("/runs/") {
        run_of(entity).to_string()
    } else {
        incident_of(entity).to_string()
    };
    let mut path = route
        .path
        .replace("{id}", &id)
        .replace("{playbook}", "p")
        .replace("{mapper}", "suricata")
        .replace("{entity}", entity)
        .replace("{list}", "ip.txt");
    if route.query.contains(&"entity") && route.method == Verb::Post {
        path.push_str("?entity=");
        path.push_str(entity);
    }
    let mut request = Request::builder().uri(path).method(match route.method {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
    });
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let body = match route.path {
        "/api/v1/runs" if route.method == Verb::Post => json!({"playbook": "p", "entity": entity}),
        path if path.ends_with("/simulation") => json!({"entity": entity}),
        path if path.contains("/approvals/") => json!({"decision": "approve", "digest": "ab".repeat(32)}),
        path if path.ends_with("/settle") => json!({"place": "block[2]", "answer": "done", "reason": "seen"}),
        path if ["/cancel", "/ack", "/retry", "/rerun", "/undo"]
            .iter()
            .any(|end| path.ends_with(end)) =>
        {
            json!({"reason": "mistake"})
        }
        _ => json!({}),
    };
    if route.accepts.is_empty() {
        request.body(Body::empty()).unwrap()
    } else {
        let request = request.header(CONTENT_TYPE, "application/json");
        request.body(Body::from(body.to_string())).unwrap()
    }
}

fn get(path: &str) -> Request<Body> {
    let request = Request::builder().uri(path);
    let request = request.header(AUTHORIZATION, format!("Bearer {}", everything()));
    request.body(Body::empty()).unwrap()
}

fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = get(path);
    *request.method_mut() = Method::POST;
    request
        .headers_mut()
        .insert(CONTENT_TYPE, content_type.parse().unwrap());
    *request.body_mut() = body.into();
    request
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn guarded() -> impl Iterator<Item = (&'static Route, Permission)> {
    ROUTES
        .iter()
        .filter_map(|route| Some((route, route.permission()?)))
}

#[tokio::test]
async fn only_these_routes_are_public() {
    let public: Vec<_> = ROUTES
        .iter()
        .filter(|route| route.permission().is_none())
        .collect();
    assert_eq!(
        public.iter().map(|route| route.path).collect::<Vec<_>>(),
        ["/a/{id}", "/a/{id}", "/page.css", "/healthz", "/readyz"]
    );
    // The pages have tests of their own.
    for route in public.into_iter().filter(|route| !route.path.starts_with("/a/")) {
        assert_eq!(world().status(fitting(route, OURS, None)).await, 200, "{route:?}");
    }
}

#[tokio::test]
async fn every_guarded_route_refuses_strangers_with_one_text() {
    let world = world();
    let good = everything();
    let mut flipped = good.clone().into_bytes();
    flipped[20] ^= 1;
    let strangers = [
        None,
        Some(format!("Bearer {}", String::from_utf8(flipped).unwrap())),
        Some(format!("Bearer {}", token(Permission::ALL, true).0)),
        Some("Bearer ".to_owned()),
        Some(good.clone()),
        Some(format!("Token {good}")),
        Some(format!("Bearer {good}{}", "x".repeat(4_096))),
    ];
    for (route, _) in guarded() {
        let mut texts = std::collections::BTreeSet::new();
        for stranger in &strangers {
            let response = world.send(fitting(route, OURS, stranger.as_deref())).await;
            assert_eq!(response.status(), 401, "{route:?} with {stranger:?}");
            assert!(response.headers().contains_key(WWW_AUTHENTICATE));
            texts.insert(text(response).await);
        }
        assert_eq!(texts.len(), 1, "{route:?} tells strangers apart: {texts:?}");
    }
    let in_url = Request::builder().uri(format!("/api/v1/runs?access_token={good}"));
    assert_eq!(world.status(in_url.body(Body::empty()).unwrap()).await, 401);
}

#[tokio::test]
async fn every_guarded_route_asks_for_its_permission_and_only_for_it() {
    let world = world();
    for (route, permission) in guarded() {
        let others = format!("Bearer {}", token(&Fake::all_but(permission), false).0);
        assert_eq!(
            world.status(fitting(route, OURS, Some(&others))).await,
            403,
            "{route:?}"
        );
        let enough = if route.path == "/api/v1/figures" {
            Fake::everywhere().0
        } else {
            token(&[permission], false).0
        };
        if route.path.ends_with("/events") {
            world.fake.happens(Fake::closed());
        }
        let status = world
            .status(fitting(route, OURS, Some(&format!("Bearer {enough}"))))
            .await;
        assert!((200..300).contains(&status), "{route:?}: {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_asks_too_fast_is_told_when_to_come_back() {
    let world = world_with(RequestLimits {
        per_second: 2,
        burst: 3,
    });
    let ask = |token: &str| {
        let request = Request::builder().uri("/api/v1/playbooks");
        let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    };
    let (one, other) = (everything(), token(&[Permission::See], false).0);
    for _ in 0..3 {
        assert_eq!(world.status(ask(&one)).await, 200);
    }
    let refused = world.send(ask(&one)).await;
    assert_eq!(refused.status(), 429);
    // Half a second would do; the header knows whole seconds only.
    assert_eq!(refused.headers()[RETRY_AFTER], "1");
    let problem = json_of(refused).await;
    assert_eq!(problem["type"], "urn:sortie:problem:too-many");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("3 requests at once and 2 in a second"),
        "{detail}"
    );
    // Also where nothing is found, and before a permission is looked at.
    let elsewhere = Request::builder().uri("/nothing");
    let elsewhere = elsewhere.header(AUTHORIZATION, format!("Bearer {one}"));
    assert_eq!(world.status(elsewhere.body(Body::empty()).unwrap()).await, 429);
    // Others, strangers and the public are as before.
    assert_eq!(world.status(ask(&other)).await, 200);
    assert_eq!(world.status(ask("nobody")).await, 401);
    let health = Request::builder().uri("/healthz").body(Body::empty()).unwrap();
    assert_eq!(world.status(health).await, 200);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.status(ask(&one)).await, 200);
}

#[tokio::test]
async fn what_belongs_to_others_is_not_found() {
    let world = world();
    let bearer = format!("Bearer {}", everything());
    let mut asked = 0;
    for (route, _) in guarded() {
        let names_a_thing = route.path.contains("{id}") || route.path.contains("{entity}");
        if names_a_thing || route.method == Verb::Post {
            assert_eq!(
                world.status(fitting(route, THEIRS, Some(&bearer))).await,
                404,
                "{route:?}"
            );
            asked += 1;
        }
    }
    assert_eq!(asked, 20, "a new route of this kind must be asked too");
    for path in ["/api/v1/incidents", "/api/v1/runs"] {
        let page = json_of(world.send(get(path)).await).await;
        assert_eq!(page["rows"].as_array().unwrap().len(), 1, "{path} shows theirs");
        assert_eq!(page["format"], FORMAT);
    }
    let theirs = json_of(world.send(get("/api/v1/incidents?entity=beta")).await).await;
    assert_eq!(theirs["rows"], json!([]));
}

#[tokio::test]
async fn addresses_near_a_route_are_not_the_route() {
    let world = world();
    for (route, _) in guarded() {
        let path = fitting(route, OURS, None).uri().path().to_owned();
        let mutations = [
            format!("{path}/"),
            format!("{path}/configs"),
            format!("{path}/health"),
            format!("{path};a"),
            format!("{path}%2f"),
            format!("{path}%00"),
            format!("{path}/."),
            format!("{path}/.."),
            format!("/{path}"),
            path.replacen('/', "//", 2),
            format!("/healthz/..{path}"),
            path.to_uppercase(),
            format!("{path}%20"),
        ];
        for mutation in mutations {
            let stranger = Request::builder().uri(&mutation).method(match route.method {
                Verb::Get => Method::GET,
                Verb::Post => Method::POST,
            });
            let status = world.status(stranger.body(Body::empty()).unwrap()).await;
            assert_eq!(status, 401, "{mutation} by a stranger");
            let known = world.status(get(&mutation)).await;
            assert!(
                matches!(known, 404 | 405),
                "{mutation} by somebody known: {known}"
            );
        }
    }
    assert_eq!(world.status(get("/nowhere")).await, 404);
}

#[tokio::test]
async fn a_method_is_what_the_request_line_says() {
    let world = world();
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE"] {
        let mut request = get(&format!("/api/v1/runs/{}/cancel", run_of(OURS)));
        *request.method_mut() = method.parse().unwrap();
        request
            .headers_mut()
            .insert("x-http-method-override", "POST".parse().unwrap());
        let response = world.send(request).await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()[ALLOW], "POST");
    }
    assert_eq!(world.fake.cancelled.load(std::sync::atomic::Ordering::Relaxed), 0);
    let stranger = Request::builder().method("DELETE").uri("/api/v1/runs");
    assert_eq!(world.status(stranger.body(Body::empty()).unwrap()).await, 401);
}
