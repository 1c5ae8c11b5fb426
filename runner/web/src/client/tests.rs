//! A client cannot be told from operations in the same process.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use state::access::Permission;
use state::event::Mode;
use state::store::{AuditFilter, IncidentFilter, PageRequest, RunFilter};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Client, mapper_media};
use crate::authentication::{Authentication as _, LocalPeer};
use crate::error::OperationError;
use crate::fake::{Fake, OPERATOR_UID, OURS, incident_of, run_of, token};
use crate::operations::{AsPrincipal, Myself, Operations};
use crate::pace::RequestLimits;
use crate::routes::Media;
use crate::server::{Listeners, bind_local, serve};
use crate::view::{
    Content, IncidentChoice, ListKind, Rerun, Retry, RunVerb, Settle, SettleWord, StartRun, Submission, Undo,
    Version,
};

struct World {
    fake: Arc<Fake>,
    far: Client,
    near: AsPrincipal,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("sortie.sock");
    let listeners = Listeners {
        tcp: None,
        local: Some(bind_local(&socket).unwrap()),
    };
    let fake = Fake::new();
    let stop = CancellationToken::new();
    tokio::spawn(serve(
        listeners,
        fake.clone(),
        fake.clone(),
        RequestLimits::default(),
        stop.clone(),
    ));
    let operator = LocalPeer {
        uid: OPERATOR_UID,
        pid: None,
    };
    World {
        far: Client::local(socket),
        near: AsPrincipal::new(fake.clone(), fake.local(operator).unwrap()),
        fake,
        stop,
        _folder: folder,
    }
}

macro_rules! same {
    ($world:ident, $method:ident($($argument:expr),*)) => {{
        let far = $world.far.$method(&Myself, $($argument),*).await;
        assert_eq!(far, $world.near.$method(&Myself, $($argument),*).await);
        far
    }};
}

fn submission(body: &str, content: Content, entity: Option<&str>) -> Submission {
    Submission {
        content,
        bytes: Bytes::from(body.to_owned()),
        entity: entity.map(|entity| entity.parse().unwrap()),
    }
}

fn start(playbook: &str) -> StartRun {
    StartRun {
        playbook: playbook.to_owned(),
        incident: Some(IncidentChoice::Inline(json!({"title": "x"}))),
        inputs: BTreeMap::from([("days".to_owned(), json!(3))]),
        mode: Mode::Auto,
        entity: None,
    }
}

#[tokio::test]
async fn every_operation_answers_the_same_near_and_far() {
    let world = world();
    let page = || PageRequest {
        after: Some("c/1&2".to_owned()),
        limit: 9,
    };
    let rows = same!(world, incidents(IncidentFilter::default(), page())).unwrap();
    assert_eq!((rows.rows.len(), rows.next.as_deref()), (2, Some("c/1&2")));
    same!(world, incident(&incident_of(OURS))).unwrap();
    same!(world, matches(&incident_of(OURS))).unwrap();
    same!(world, playbooks()).unwrap();
    same!(world, runs(RunFilter::default(), page())).unwrap();
    same!(world, run(run_of(OURS).as_str())).unwrap();
    same!(world, cancel(run_of(OURS).short(), "a mistake")).unwrap();
    let settle = RunVerb::Settle(Settle {
        place: "block[2]".to_owned(),
        answer: SettleWord::DoneByHand,
        output: serde_json::Map::from_iter([("domain".to_owned(), json!("bad.example"))]),
    });
    let from = || {
        RunVerb::Retry(Retry {
            from: Some("block".to_owned()),
        })
    };
    let current = || {
        RunVerb::Rerun(Rerun {
            version: Version::Current,
        })
    };
    let undo = || {
        RunVerb::Undo(Undo {
            effect: Some("block[2]".to_owned()),
        })
    };
    same!(world, effects(OURS.parse().ok())).unwrap();
    for verb in [settle, RunVerb::Acknowledge, from(), current(), undo()] {
        same!(world, decide(run_of(OURS).short(), verb.clone(), "a reason")).unwrap();
    }
    for verb in [
        undo(),
        from(),
        RunVerb::Retry(Retry::default()),
        current(),
        RunVerb::Rerun(Rerun::default()),
    ] {
        same!(world, preview(run_of(OURS).short(), verb.clone())).unwrap();
    }
    same!(world, start(start("phishing-report"))).unwrap();
    same!(world, audit(AuditFilter::default(), page())).unwrap();
    same!(world, block_list(&OURS.parse().unwrap(), ListKind::Ip)).unwrap();
    same!(world, figures()).unwrap();
    assert_eq!(world.far.readiness().await, world.near.readiness().await);
    for (body, content) in [
        ("{}", Content::Json),
        ("\"known\"", Content::Json),
        ("\"mixed\"", Content::Mapper("suricata".to_owned())),
        ("From: a@b.example\n\nhello", Content::Mail),
    ] {
        same!(world, submit(submission(body, content.clone(), Some("beta")))).unwrap();
    }
    let seen = world.fake.submissions.lock().unwrap().clone();
    assert!(
        seen.chunks(2).all(|pair| pair[0] == pair[1]),
        "far and near bring the same bytes"
    );
}

#[tokio::test]
async fn every_refusal_is_the_same_near_and_far() {
    let world = world();
    let missing = same!(world, run("zzzz")).unwrap_err();
    assert_eq!(missing.exit_code(), 5);
    let refused = same!(world, start(start("off"))).unwrap_err();
    assert_eq!(refused.exit_code(), 6);
    let busy = same!(world, submit(submission("\"quota\"", Content::Json, None))).unwrap_err();
    assert_eq!((busy.exit_code(), busy.retry_after().unwrap().as_secs()), (3, 7));
    let bad = world
        .far
        .submit(&Myself, submission("\"bad\"", Content::Json, None))
        .await;
    assert!(matches!(bad, Err(OperationError::Invalid { findings, .. }) if findings.len() == 1));
    for odd in ["", "../audit", "a b", "x?y"] {
        assert_eq!(
            world.far.run(&Myself, odd).await.unwrap_err().exit_code(),
            5,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn a_run_is_followed_over_the_socket_until_its_end() {
    let world = world();
    world.fake.happens(Fake::a_let("a"));
    let stream = world
        .far
        .watch(&Myself, run_of(OURS).as_str(), None)
        .await
        .unwrap();
    let mut stream = stream;
    assert_eq!(stream.next().await.unwrap().unwrap().seq, 0);
    world.fake.happens(Fake::a_let("b\nc: d\r\né"));
    world.fake.happens(Fake::closed());
    let rest: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(rest.iter().map(|change| change.seq).collect::<Vec<_>>(), [1, 2]);
    let near = world
        .near
        .watch(&Myself, run_of(OURS).as_str(), Some(0))
        .await
        .unwrap();
    assert_eq!(rest, near.map(Result::unwrap).collect::<Vec<_>>().await);
}

#[tokio::test]
async fn a_stream_that_the_server_ends_early_is_an_error_not_an_end() {
    let world = world();
    world.fake.happens(Fake::a_let("a"));
    let mut stream = world
        .far
        .watch(&Myself, run_of(OURS).as_str(), None)
        .await
        .unwrap();
    stream.next().await.unwrap().unwrap();
    world.stop.cancel();
    let broken = stream.next().await.unwrap().unwrap_err();
    assert_eq!(broken.exit_code(), 3);
}

#[tokio::test]
async fn a_token_over_loopback_decides_who_asks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fake = Fake::new();
    let listeners = Listeners {
        tcp: Some(listener),
        local: None,
    };
    tokio::spawn(serve(
        listeners,
        fake.clone(),
        fake,
        RequestLimits::default(),
        CancellationToken::new(),
    ));
    let see = Client::tcp(address, &token(&[Permission::See], false).0).unwrap();
    assert_eq!(
        see.runs(&Myself, RunFilter::default(), PageRequest::default())
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
    assert_eq!(see.start(&Myself, start("p")).await.unwrap_err().exit_code(), 4);
    let stranger = Client::tcp(address, "sortie_nobody").unwrap();
    assert_eq!(
        stranger.playbooks(&Myself).await,
        Err(OperationError::Unauthorized)
    );
    assert!(
        !format!("{see:?}").contains("sortie_"),
        "the token is not printed"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_exit_code_3_and_another_machine_is_refused() {
    let absent = Client::local("/nonexistent/sortie.sock");
    let error = absent.playbooks(&Myself).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("sortie serve"), "{error}");
    assert!(!absent.readiness().await.ready);
    let elsewhere = Client::tcp("192.0.2.1:80".parse().unwrap(), "t").unwrap_err();
    assert_eq!(elsewhere.exit_code(), 6);
}

#[test]
fn bytes_for_a_mapper_are_named_by_what_they_are() {
    assert_eq!(mapper_media(b" {\"a\": 1}"), Media::Json);
    assert_eq!(mapper_media(b"{\"a\": 1}\n{\"a\": 2}\n"), Media::NdJson);
    assert_eq!(mapper_media(b"{ broken"), Media::NdJson);
    assert_eq!(mapper_media(b"From: x\n\nbody"), Media::Mail);
    assert_eq!(mapper_media(b""), Media::Mail);
}
