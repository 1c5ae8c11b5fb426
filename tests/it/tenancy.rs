//! A token of one entity never learns anything of another: not by a list, not by a guess.

use std::collections::BTreeSet;

use runner::demo;
use state::access::Reach;
use state::ids::EntityId;
use state::store::{AuditFilter, IncidentFilter, PageRequest, RunFilter};
use tests::soc::{self, Soc};
use web::operations::Myself;
use web::view::{Content, IncidentChoice, ListKind, StartRun, Submitted};
use web::{Client, OperationError, Operations as _};

use crate::BINARY;

const SOURCE: &str = r#"
[sources.town]
format = "suricata"
entity = "ville-exemple"
"#;

fn page() -> PageRequest {
    PageRequest {
        after: None,
        limit: 100,
    }
}

fn is_not_found<T: std::fmt::Debug>(what: &str, answer: Result<T, OperationError>) {
    assert!(
        matches!(answer, Err(OperationError::NotFound { .. })),
        "{what}: {answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_one_entity_sees_nothing_of_another() {
    let soc = Soc::new(BINARY).await.unwrap();
    let (ville, hopital): (EntityId, EntityId) =
        (demo::ENTITY.parse().unwrap(), "hopital-exemple".parse().unwrap());
    let address = soc::free_address().unwrap();
    let mut clients = Vec::new();
    for (seed, entity) in [(50, &ville), (100, &hopital)] {
        let reach = Reach::Entities(BTreeSet::from([entity.clone()]));
        let (token, table) = soc::token(&format!("of-{entity}"), reach, seed).unwrap();
        soc.append("sortie.toml", &format!("\n{table}\n")).unwrap();
        clients.push(Client::tcp(address, &token).unwrap());
    }
    soc.append("sortie.toml", SOURCE).unwrap();
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let [town, hospital] = clients.as_slice() else {
        panic!("two clients");
    };

    let suricata = || Content::Mapper("suricata".to_owned());
    let taken = soc::submit_for(town, None, suricata(), demo::IDS_ALERT.to_vec())
        .await
        .unwrap();
    let [Submitted::Accepted { id }] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    let runs = soc::settled(town, 1).await.unwrap();
    let run = runs[0].id.to_string();
    assert!(
        !town
            .audit(&Myself, AuditFilter::default(), page())
            .await
            .unwrap()
            .rows
            .is_empty()
    );
    assert_eq!(
        town.block_list(&Myself, &ville, ListKind::Ip).await.unwrap().text,
        "5.1.1.1\n"
    );

    // Lists.
    let incidents = hospital
        .incidents(&Myself, IncidentFilter::default(), page())
        .await
        .unwrap();
    assert!(incidents.rows.is_empty(), "{incidents:?}");
    let others = hospital
        .runs(&Myself, RunFilter::default(), page())
        .await
        .unwrap();
    assert!(others.rows.is_empty(), "{others:?}");
    let audit = hospital
        .audit(&Myself, AuditFilter::default(), page())
        .await
        .unwrap();
    assert!(
        audit.rows.iter().all(|row| row.entity.as_ref() == Some(&hopital)),
        "{audit:?}"
    );
    for playbook in hospital.playbooks(&Myself).await.unwrap() {
        assert!(
            playbook.rollout.keys().all(|entity| *entity == hopital),
            "{playbook:?}"
        );
    }

    // Guesses.
    is_not_found("show incident", hospital.incident(&Myself, id).await);
    is_not_found("matches", hospital.matches(&Myself, id).await);
    is_not_found("show run", hospital.run(&Myself, &run).await);
    let least = runner::operations::RUN_PREFIX_CHARACTERS_MIN;
    is_not_found("prefix of a run", hospital.run(&Myself, &run[..least]).await);
    assert_eq!(town.run(&Myself, &run[..least]).await.unwrap().run.id, runs[0].id);
    for client in [town, hospital] {
        let short = client.run(&Myself, &run[..least - 1]).await;
        assert!(
            matches!(&short, Err(OperationError::Invalid { message, .. }) if message.contains("too short")),
            "{short:?}"
        );
    }
    is_not_found("cancel", hospital.cancel(&Myself, &run, "guess").await);
    assert!(hospital.watch(&Myself, &run, None).await.is_err(), "watch");
    for list in ListKind::ALL {
        is_not_found("block list", hospital.block_list(&Myself, &ville, *list).await);
    }
    assert!(
        matches!(
            hospital.figures(&Myself).await,
            Err(OperationError::Denied { .. })
        ),
        "figures are over all entities"
    );

    // Changes.
    let submitted = soc::submit_for(
        hospital,
        Some(ville.clone()),
        suricata(),
        demo::IDS_ALERT.to_vec(),
    )
    .await;
    is_not_found("submit to another", submitted);
    let town_source = Content::Mapper("town".to_owned());
    let submitted = soc::submit_for(hospital, None, town_source, demo::IDS_ALERT.to_vec()).await;
    is_not_found("submit through another's source", submitted);
    let start = StartRun {
        playbook: "ids-triage".to_owned(),
        incident: Some(IncidentChoice::Id(id.clone())),
        inputs: std::collections::BTreeMap::new(),
        mode: state::event::Mode::Auto,
        entity: None,
    };
    is_not_found(
        "start on another's incident",
        hospital.start(&Myself, start).await,
    );

    // The same alert is another incident for another entity, and tells nothing of the first.
    let own = soc::submit_for(hospital, None, suricata(), demo::IDS_ALERT.to_vec())
        .await
        .unwrap();
    assert!(matches!(own.as_slice(), [Submitted::Accepted { .. }]), "{own:?}");
    let stranger = Client::tcp(address, "sortie_nobody").unwrap();
    assert!(
        matches!(
            stranger.incident(&Myself, id).await,
            Err(OperationError::Unauthorized)
        ),
        "strangers learn nothing"
    );
}
