//! `sortie incidents`: list, show, create, why.

use std::io::Read as _;

use playbooks::incident::ObservableType;
use state::ids::IncidentId;
use state::store::IncidentFilter;
use web::Operations;
use web::operations::Myself;
use web::view::{Content, MatchWord, Submission, Submitted};

use super::arguments::{Incidents, Output, Page};
use super::exit_code::Exit;
use super::terminal::{defang, defang_name, safe};
use super::{Session, id, paging, print};
use crate::intake::Mapper;

/// Bytes of an incident file; the server's own limits are lower for JSON.
const FILE_BYTES_MAX: u64 = 25 << 20;

pub(crate) async fn incidents(session: &Session, command: &Incidents) -> Result<Exit, Exit> {
    let connected = session.connect().await?;
    let operations = connected.operations();
    let exit = match command {
        Incidents::List { entity, kind, page } => {
            list(session, operations, entity.as_deref(), kind.as_deref(), page).await?
        }
        Incidents::Show { id: reference } => {
            let reference: IncidentId = id(session, reference)?;
            let found = operations
                .incident(&Myself, &reference)
                .await
                .map_err(|e| session.failed(&e))?;
            if session.output == Output::Table {
                show(session, &found)?;
            } else {
                print::one(
                    &session.terminal,
                    session.output,
                    &web::view::Versioned::new(found),
                )?;
            }
            Exit::Yes
        }
        Incidents::Create { file, entity, format } => {
            let bytes = read(session, file)?;
            let content = content(format.as_deref(), &bytes);
            let entity = entity.as_deref().map(|text| id(session, text)).transpose()?;
            let submission = Submission {
                content,
                bytes: bytes.into(),
                entity,
            };
            let report = operations
                .submit(&Myself, submission)
                .await
                .map_err(|e| session.failed(&e))?;
            results(session, &report.results)?
        }
        Incidents::Why { id: reference } => why(session, operations, reference).await?,
    };
    connected.rest().await;
    Ok(exit)
}

async fn list(
    session: &Session,
    operations: &dyn Operations<Myself>,
    entity: Option<&str>,
    kind: Option<&str>,
    rows: &Page,
) -> Result<Exit, Exit> {
    let filter = IncidentFilter {
        entity: entity.map(|text| id(session, text)).transpose()?,
        kind: match kind {
            None => None,
            Some(word) => Some(word.parse().map_err(|error: playbooks::marking::UnknownWord| {
                session.terminal.complain(error.to_string());
                Exit::Usage
            })?),
        },
        status: None,
    };
    let found = paging::full(rows, |page| operations.incidents(&Myself, filter.clone(), page))
        .await
        .map_err(|e| session.failed(&e))?;
    print::list(
        &session.terminal,
        session.output,
        "sortie.incidents/1",
        &found.rows,
        found.next.as_deref(),
        &[
            "incident", "entity", "severity", "tlp", "status", "verdict", "received", "seen", "title",
        ],
        |row| {
            vec![
                row.id.to_string(),
                row.entity.to_string(),
                row.severity.to_string(),
                row.tlp.label(),
                word(&row.status),
                row.verdict.to_string(),
                row.received_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                row.count.to_string(),
                row.title.clone(),
            ]
        },
    )?;
    Ok(Exit::Yes)
}

async fn why(session: &Session, operations: &dyn Operations<Myself>, reference: &str) -> Result<Exit, Exit> {
    let reference: IncidentId = id(session, reference)?;
    let rows = operations
        .matches(&Myself, &reference)
        .await
        .map_err(|e| session.failed(&e))?;
    print::list(
        &session.terminal,
        session.output,
        "sortie.matches/1",
        &rows,
        None,
        &["playbook", "result", "why"],
        |row| {
            let (result, why) = match (row.result, &row.run) {
                (MatchWord::Started, Some(run)) => ("STARTED", format!("run {}", run.short())),
                (MatchWord::Shadow, Some(run)) => (
                    "shadow",
                    format!("run {}: effects are only recorded", run.short()),
                ),
                (MatchWord::Attached, Some(run)) => {
                    ("ATTACHED", format!("to run {} (same key)", run.short()))
                }
                _ => ("no", row.why.clone().unwrap_or_default()),
            };
            vec![
                format!("{} v{}", row.playbook, row.version),
                result.to_owned(),
                why,
            ]
        },
    )?;
    Ok(Exit::Yes)
}

/// The word of a value that serializes as one.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn show(session: &Session, found: &web::view::IncidentDetail) -> Result<(), Exit> {
    let incident = &found.incident;
    let terminal = &session.terminal;
    terminal.line(format!("{}  {}", incident.reference, safe(&incident.title)))?;
    terminal.line(format!(
        "  {} of {}, {}, {} {}, verdict {}, {}",
        incident.kind,
        found.entity,
        incident.severity,
        incident.tlp.label(),
        incident.pap.label(),
        incident.verdict,
        word(&incident.status)
    ))?;
    terminal.line(format!(
        "  from {} by {}, received {}, seen {} times, RSIT {}",
        safe(&found.source),
        safe(&found.actor.name),
        incident.received_at,
        found.count,
        incident.kind.rsit()
    ))?;
    if let Some(summary) = &incident.summary {
        terminal.line(format!("  {}", safe(summary)))?;
    }
    if !incident.observables.is_empty() {
        terminal.line("  observables")?;
        for one in &incident.observables {
            let role = one.role.as_deref().unwrap_or("");
            terminal.line(format!(
                "    {:7} {}  {}",
                word(&one.kind),
                safe(&match one.kind {
                    ObservableType::Domain | ObservableType::Email => defang_name(&one.value),
                    _ => defang(&one.value),
                }),
                safe(role)
            ))?;
        }
    }
    if !found.updates.is_empty() {
        terminal.line("  changes")?;
        for change in &found.updates {
            let mut words = Vec::new();
            words.extend(
                change
                    .update
                    .status
                    .map(|status| format!("status {}", word(&status))),
            );
            words.extend(change.update.verdict.map(|verdict| format!("verdict {verdict}")));
            words.extend(
                change
                    .update
                    .severity
                    .map(|severity| format!("severity {severity}")),
            );
            words.extend(change.update.note.as_ref().map(|note| safe(note)));
            terminal.line(format!(
                "    {}  {}: {}",
                change.at,
                safe(&change.update.actor.name),
                words.join(", ")
            ))?;
        }
    }
    terminal.say(format!("next: sortie incidents why {}", incident.reference));
    Ok(())
}

/// Reads a file, or stdin for `-`.
pub(crate) fn read(session: &Session, file: &str) -> Result<Vec<u8>, Exit> {
    let mut bytes = Vec::new();
    let result = if file == "-" {
        std::io::stdin()
            .lock()
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    if let Err(error) = result {
        session
            .terminal
            .complain(format!("cannot read {}: {error}", safe(file)));
        return Err(Exit::Usage);
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        session
            .terminal
            .complain(format!("{} is longer than {FILE_BYTES_MAX} bytes", safe(file)));
        return Err(Exit::Usage);
    }
    Ok(bytes)
}

/// What a file is: as told, else by what is in it.
pub(crate) fn content(told: Option<&str>, bytes: &[u8]) -> Content {
    let mapper = match told {
        Some("eml") => Some(Mapper::Mail),
        Some(word) => return Content::Mapper(word.to_owned()),
        // What is not recognised is sent as it is: the refusal then says what is understood.
        None => Mapper::detect(bytes).ok(),
    };
    match mapper {
        Some(Mapper::Json) => Content::Json,
        Some(Mapper::Mail) => Content::Mail,
        Some(mapper) => Content::Mapper(mapper.name().to_owned()),
        None => Content::Mapper("auto".to_owned()),
    }
}

fn results(session: &Session, results: &[Submitted]) -> Result<Exit, Exit> {
    let terminal = &session.terminal;
    let refused = results.iter().any(|one| matches!(one, Submitted::Refused { .. }));
    if session.output != Output::Table {
        print::one(
            terminal,
            session.output,
            &serde_json::json!({ "format": "sortie.submit/1", "results": results }),
        )?;
        return Ok(if refused { Exit::No } else { Exit::Yes });
    }
    for one in results {
        match one {
            Submitted::Accepted { id } => {
                terminal.line(id.as_str())?;
                terminal.say(format!("next: sortie incidents why {id}"));
            }
            Submitted::Duplicate { id, count } => {
                terminal.line(id.as_str())?;
                terminal.say(format!("already known, seen {count} times"));
            }
            Submitted::Ignored { why } => terminal.say(format!("ignored: {}", safe(why))),
            Submitted::Refused { diagnostics } => {
                for found in diagnostics {
                    let place = found
                        .place
                        .as_deref()
                        .map_or_else(String::new, |place| format!("{}: ", safe(place)));
                    terminal.complain(format!("{place}{}", safe(&found.message)));
                    found.help.iter().for_each(|help| terminal.remedy(safe(help)));
                }
            }
        }
    }
    Ok(if refused { Exit::No } else { Exit::Yes })
}
