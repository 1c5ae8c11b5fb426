//! `sortie audit`: who did what, when, and what came of it.

use serde_json::Value;
use state::store::{AuditFilter, AuditRecord};
use web::operations::Myself;

use super::arguments::Audit;
use super::exit_code::Exit;
use super::{Session, id, paging, print};

pub(crate) async fn audit(session: &Session, command: &Audit) -> Result<Exit, Exit> {
    let Audit::List {
        entity,
        run,
        incident,
        kind,
        page: rows,
    } = command;
    let connected = session.connect().await?;
    let operations = connected.operations();
    let run = match run {
        None => None,
        Some(prefix) => {
            let found = operations
                .run(&Myself, prefix)
                .await
                .map_err(|error| session.failed(&error))?;
            Some(found.run.id)
        }
    };
    let filter = AuditFilter {
        entity: entity.as_deref().map(|text| id(session, text)).transpose()?,
        run,
        incident: incident.as_deref().map(|text| id(session, text)).transpose()?,
        kind: kind.clone(),
    };
    let found = paging::full(rows, |page| operations.audit(&Myself, filter.clone(), page))
        .await
        .map_err(|error| session.failed(&error))?;
    print::list(
        &session.terminal,
        session.output,
        "sortie.audit/1",
        &found.rows,
        found.next.as_deref(),
        &["index", "time", "entity", "record", "actor", "about", "what"],
        |row| {
            vec![
                row.index.to_string(),
                row.at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string(),
                row.entity
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string),
                row.kind.clone(),
                row.actor.name.clone(),
                about(row),
                what(row),
            ]
        },
    )?;
    connected.rest().await;
    Ok(Exit::Yes)
}

fn about(row: &AuditRecord) -> String {
    match (&row.run, &row.path, &row.incident) {
        (Some(run), Some(path), _) => format!("{} {path}", run.short()),
        (Some(run), None, _) => run.short().to_owned(),
        (None, _, Some(incident)) => incident.to_string(),
        (None, _, None) => String::new(),
    }
}

/// The few fields of a record that say what it is about. `--json` has all of it.
fn what(row: &AuditRecord) -> String {
    let mut words = Vec::new();
    collect(&row.body, &mut words);
    words.truncate(3);
    words.join(", ")
}

fn collect(value: &Value, words: &mut Vec<String>) {
    const TELLING: &[&str] = &[
        "action",
        "status",
        "detail",
        "why",
        "summary",
        "error",
        "kind",
        "name",
        "condition",
        "title",
        "verdict",
    ];
    let Some(fields) = value.as_object() else { return };
    for (name, field) in fields {
        match field {
            Value::String(text) if TELLING.contains(&name.as_str()) => {
                words.push(text.chars().take(80).collect());
            }
            Value::Object(_) if !["facts", "arguments", "raw", "output"].contains(&name.as_str()) => {
                collect(field, words);
            }
            _ => {}
        }
    }
}
