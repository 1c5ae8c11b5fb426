//! The mail to a person who is asked, and the page it leads to.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::StatusCode;
use runner::demo;
use state::event::{Event, RunStatus, Told};
use state::store::{AuditFilter, PageRequest};
use tests::soc::{self, PATIENCE, Process};
use web::operations::Myself;
use web::view::{Content, InquiryState};
use web::{Client, Operations as _};

use crate::approvals::{Asking, question};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A browser without cookies and scripts.
struct Browser(reqwest::Client, SocketAddr);

impl Browser {
    fn new(server: SocketAddr) -> Self {
        // Another test of this process may have named one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self(reqwest::Client::builder().no_proxy().build().unwrap(), server)
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let url = format!("http://{}{path}", self.1);
        let response = self.0.get(url).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: String) -> (StatusCode, String) {
        let url = format!("http://{}{path}", self.1);
        let request = self.0.post(url).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

fn ticket(html: &str) -> String {
    let (_, rest) = html.split_once("name=\"ticket\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn alert(client: &Client) {
    let content = Content::Mapper("suricata".to_owned());
    soc::submit(client, content, demo::IDS_ALERT.to_vec())
        .await
        .unwrap();
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let mut waited = Duration::ZERO;
    while !holds() {
        assert!(waited < PATIENCE, "{what}");
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

async fn asked() -> (Asking, Process, Browser) {
    let asking = Asking::new().await;
    let address = soc::free_address().unwrap();
    let mut process = asking.soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", asking.soc.log());
    alert(&process.client()).await;
    let row = question(&process.client()).await.unwrap();
    assert_eq!(row.id.to_string(), "A-1");
    until("nobody is told", || !asking.mails_to("karim").is_empty()).await;
    (asking, process, Browser::new(address))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_asked_gets_one_mail_whose_link_leads_to_a_page_that_decides() {
    let (asking, process, browser) = asked().await;
    let mails = asking.mails_to("karim");
    let mail = &mails[0];
    let link = format!("http://{}/a/A-1", browser.1);
    assert!(mail.contains("TLP:AMBER Approval A-1: May"), "{mail}");
    assert!(
        mail.contains("5.1.1.1") && mail.contains("block.ip (contain)"),
        "{mail}"
    );
    assert!(mail.contains(&format!("<a href=\"{link}\">")), "{mail}");
    assert_eq!(
        mail.matches("http://").count(),
        3,
        "one link, in both parts: {mail}"
    );
    // No address, or no role: not told.
    assert!(asking.mails_to("lea").is_empty() && asking.mails_to("guest").is_empty());

    let (status, before) = browser.get("/a/A-1").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!before.contains("5.1.1.1"), "{before}");
    let (_, karim) = asking.tokens.iter().find(|(name, _)| *name == "karim").unwrap();
    let (status, html) = browser.post("/a/A-1", format!("token={karim}")).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    for words in [
        "5.1.1.1",
        "block.ip",
        "Approve exactly this",
        "Signed in as karim",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    // A refusal without a comment decides nothing, and the page says so with a new ticket.
    let body = format!("ticket={}&decision=refuse&comment=", ticket(&html));
    let (status, html) = browser.post("/a/A-1", body).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(html.contains("a refusal needs a comment"), "{html}");
    let body = format!("ticket={}&decision=approve&comment=seen+it", ticket(&html));
    let (status, html) = browser.post("/a/A-1", body.clone()).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    assert!(
        html.contains("Your decision is recorded.") && !html.contains("ticket"),
        "{html}"
    );
    assert_eq!(browser.post("/a/A-1", body).await.0, StatusCode::FORBIDDEN);

    let client = process.client();
    let runs = soc::settled(&client, 1).await.unwrap();
    assert_eq!(runs[0].status, RunStatus::Succeeded, "{}", runs[0].note);
    let run = soc::run(&client, runs[0].id.as_str()).await.unwrap();
    let told = run.events.iter().find_map(|recorded| match &recorded.event {
        Event::Told { person, outcome, .. } => Some((person.clone(), outcome.clone())),
        _ => None,
    });
    assert!(
        matches!(&told, Some((person, Told::Sent { .. })) if person == "karim"),
        "{told:?}"
    );
    let filter = AuditFilter {
        kind: Some("inquiry.replied".to_owned()),
        ..AuditFilter::default()
    };
    let audit = client
        .audit(&Myself, filter, PageRequest::default())
        .await
        .unwrap();
    assert_eq!(audit.rows[0].actor.name, "person:karim");
    assert_eq!(audit.rows[0].actor.channel, state::access::Channel::Page);
    assert_eq!(asking.mails_to("karim").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_without_the_role_sees_what_is_asked_and_cannot_decide() {
    let (asking, process, browser) = asked().await;
    let (_, guest) = asking.tokens.iter().find(|(name, _)| *name == "guest").unwrap();
    let (status, html) = browser.post("/a/A-1", format!("token={guest}")).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    assert!(html.contains("none of the roles that are asked"), "{html}");
    assert!(!html.contains("ticket") && !html.contains("<button"), "{html}");
    let (status, html) = browser.post("/a/A-7", format!("token={guest}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{html}");
    let row = question(&process.client()).await.unwrap();
    assert_eq!(row.state, InquiryState::Open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_who_is_not_told() {
    let asking = Asking::new().await;
    let (_, out, _) = asking.command(&["doctor"]).await;
    assert!(
        out.contains("not told by mail when they are asked: guest, lea"),
        "{out}"
    );
    assert!(out.contains("1 of 3 are told through `mail`"), "{out}");
    assert!(out.contains("which is this machine"), "{out}");
    let config = asking.soc.project().join("sortie.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (before, after) = text.split_once("[connections.mail]").unwrap();
    let rest = after.split_once("\n[").map_or("", |(_, rest)| rest);
    std::fs::write(&config, format!("{before}[{rest}")).unwrap();
    let (_, out, err) = asking.command(&["doctor"]).await;
    assert!(
        out.contains("nobody is told by mail that they are asked: no connection is a mail relay"),
        "{out}{err}"
    );
}
