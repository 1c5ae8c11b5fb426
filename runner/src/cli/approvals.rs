//! `sortie approvals`, `sortie approve`, `sortie refuse` and `sortie answer`: what people are
//! asked, and what they say.

use state::ids::InquiryId;
use state::store::InquiryFilter;
use web::OperationError;
use web::operations::Myself;
use web::view::{InquiryDetail, InquiryKind, InquiryState, InquiryView, SayToInquiry, Versioned};

use super::arguments::{Answer, Approvals, Output, Reply};
use super::exit_code::Exit;
use super::terminal::{column, fit, safe};
use super::{Connected, Session, id, paging, print};

/// Longest shown value, in characters; `--json` has all of it.
const VALUE_CHARACTERS_MAX: usize = 400;
/// Columns of labels.
const LABEL_COLUMNS: usize = 14;

/// `sortie approvals`.
pub(crate) async fn approvals(session: &Session, command: &Approvals) -> Result<Exit, Exit> {
    let connected = session.connect().await?;
    let exit = match command {
        Approvals::List {
            entity,
            all,
            page: rows,
        } => {
            let filter = InquiryFilter {
                entity: entity.as_deref().map(|text| id(session, text)).transpose()?,
                run: None,
                open: !all,
            };
            list(session, &connected, filter, rows).await
        }
        Approvals::Show { id: text } => {
            let detail = detail(session, &connected, id(session, text)?).await?;
            if session.output == Output::Table {
                show(session, &detail)?;
            } else {
                print::one(&session.terminal, session.output, &Versioned::new(detail))?;
            }
            Ok(Exit::Yes)
        }
    };
    connected.rest().await;
    exit
}

/// `sortie approve`, `sortie refuse`.
pub(crate) async fn reply(session: &Session, arguments: &Reply, decision: &str) -> Result<Exit, Exit> {
    say(
        session,
        InquiryKind::Approval,
        &arguments.id,
        decision,
        arguments.comment.as_ref(),
    )
    .await
}

/// `sortie answer`.
pub(crate) async fn answer(session: &Session, arguments: &Answer) -> Result<Exit, Exit> {
    say(
        session,
        InquiryKind::Choice,
        &arguments.id,
        &arguments.choice,
        arguments.comment.as_ref(),
    )
    .await
}

async fn say(
    session: &Session,
    kind: InquiryKind,
    named: &str,
    decision: &str,
    comment: Option<&String>,
) -> Result<Exit, Exit> {
    let connected = session.connect().await?;
    let number: InquiryId = id(session, named)?;
    let before = detail(session, &connected, number).await?;
    if before.inquiry.kind != kind {
        let why = match kind {
            InquiryKind::Approval => {
                let choices = before.choices.join("|");
                format!("{number} is a question: sortie answer {number} {choices}")
            }
            InquiryKind::Choice => format!("{number} is an approval: sortie approve {number}"),
        };
        return Err(session.failed(&OperationError::invalid(why)));
    }
    if session.output == Output::Table {
        // What is decided on, before the decision is sent; it names the digest of exactly this.
        for line in effects(&before) {
            session.terminal.say(line);
        }
    }
    let said = SayToInquiry {
        decision: decision.to_owned(),
        comment: comment.cloned(),
        digest: before.digest.clone(),
    };
    let after = connected.operations().reply(&Myself, number, said).await;
    let after = after.map_err(|error| session.failed(&error))?;
    if session.output == Output::Table {
        session.terminal.line(outcome(&after))?;
        session
            .terminal
            .say(format!("next: sortie runs show {}", after.inquiry.run.short()));
    } else {
        print::one(&session.terminal, session.output, &Versioned::new(after))?;
    }
    connected.rest().await;
    Ok(Exit::Yes)
}

fn outcome(after: &InquiryDetail) -> String {
    let inquiry = &after.inquiry;
    match (&inquiry.detail, inquiry.state) {
        (_, InquiryState::Open) => format!(
            "{}: {} of {} approved; {} more must agree until {}",
            inquiry.id,
            inquiry.approvals,
            inquiry.count,
            usize::try_from(inquiry.count)
                .unwrap_or(usize::MAX)
                .saturating_sub(inquiry.approvals),
            inquiry.until.strftime("%Y-%m-%d %H:%MZ")
        ),
        (Some(detail), state) => format!("{}: {}: {}", inquiry.id, state.word(), safe(detail)),
        (None, state) => format!("{}: {}", inquiry.id, state.word()),
    }
}

async fn detail(session: &Session, connected: &Connected, id: InquiryId) -> Result<InquiryDetail, Exit> {
    let found = connected.operations().inquiry(&Myself, id).await;
    found.map_err(|error| session.failed(&error))
}

async fn list(
    session: &Session,
    connected: &Connected,
    filter: InquiryFilter,
    rows: &super::arguments::Page,
) -> Result<Exit, Exit> {
    let operations = connected.operations();
    let found = paging::full(rows, |page| operations.inquiries(&Myself, filter.clone(), page)).await;
    let found = found.map_err(|error| session.failed(&error))?;
    print::list(
        &session.terminal,
        session.output,
        "sortie.approvals/1",
        &found.rows,
        found.next.as_deref(),
        &[
            "id", "state", "entity", "playbook", "run", "asked", "until", "approved", "question",
        ],
        |row| {
            vec![
                row.id.to_string(),
                row.state.word().to_owned(),
                row.entity.to_string(),
                row.playbook.clone(),
                row.run.short().to_owned(),
                row.who.join(", "),
                row.until.strftime("%Y-%m-%d %H:%MZ").to_string(),
                match row.kind {
                    InquiryKind::Approval => format!("{}/{}", row.approvals, row.count),
                    InquiryKind::Choice => String::new(),
                },
                row.ask.clone(),
            ]
        },
    )?;
    Ok(Exit::Yes)
}

/// One inquiry for people.
fn show(session: &Session, found: &InquiryDetail) -> Result<(), Exit> {
    let terminal = &session.terminal;
    let inquiry = &found.inquiry;
    let label = |name: &str, text: &str| format!(" {} {text}", column(name, LABEL_COLUMNS));
    terminal.line(format!(" {}  {}", inquiry.id, safe(&inquiry.ask)))?;
    let mut lines = vec![
        label("state", inquiry.state.word()),
        label("entity", inquiry.entity.as_str()),
        label(
            "run",
            &format!(
                "{}  {}  steps {}",
                inquiry.run.short(),
                inquiry.playbook,
                inquiry.steps.join(", ")
            ),
        ),
        label("because", &safe(&inquiry.because)),
        label("asked", &who(inquiry)),
        label(
            "until",
            &format!(
                "{}, then {}",
                inquiry.until.strftime("%Y-%m-%d %H:%MZ"),
                inquiry.on_timeout.word()
            ),
        ),
    ];
    if let Some(incident) = &inquiry.incident {
        lines.insert(1, label("incident", incident.as_str()));
    }
    if let Some(detail) = &inquiry.detail {
        lines.push(label("ended", &safe(detail)));
    }
    for shown in &found.show {
        lines.push(label(&safe(&shown.label), &value(&shown.value)));
    }
    lines.extend(effects(found));
    if !found.choices.is_empty() {
        lines.push(label("choices", &safe(&found.choices.join(", "))));
        let silence = found
            .default
            .as_deref()
            .unwrap_or(playbooks::action_spec::NO_ANSWER);
        lines.push(label("silence", &format!("means {}", safe(silence))));
    }
    for given in &found.replies {
        let comment = given.reply.comment.as_deref().unwrap_or_default();
        lines.push(format!(
            " {}  {} ({}) said {}  {}",
            given.at.strftime("%Y-%m-%d %H:%M:%SZ"),
            given.reply.person,
            given.reply.role,
            safe(given.reply.word.word()),
            safe(comment)
        ));
    }
    lines.push(label("you", &safe(&found.you.why)));
    for line in lines {
        terminal.line(line.trim_end())?;
    }
    if found.you.may {
        terminal.say(match inquiry.kind {
            InquiryKind::Approval => format!(
                "next: sortie approve {0}   or   sortie refuse {0} --comment \"...\"",
                inquiry.id
            ),
            InquiryKind::Choice => format!("next: sortie answer {} {}", inquiry.id, found.choices.join("|")),
        });
    }
    Ok(())
}

/// Whom it is asked, and how many agreed.
fn who(inquiry: &InquiryView) -> String {
    let who = inquiry.who.join(", ");
    match inquiry.kind {
        InquiryKind::Approval => format!("{who}, {} of {} approved", inquiry.approvals, inquiry.count),
        InquiryKind::Choice => who,
    }
}

/// What will be done, resolved, and the digest that a decision names.
fn effects(found: &InquiryDetail) -> Vec<String> {
    let mut lines = Vec::new();
    for effect in &found.effects {
        let through = match effect.connections.as_slice() {
            [] => "in the house".to_owned(),
            connections => format!("through {}", connections.join(", ")),
        };
        lines.push(format!(
            " ! {}  {} ({}) {through}, {} {}",
            effect.path,
            effect.action,
            effect.effect.word(),
            effect.tlp.label(),
            effect.pap.label()
        ));
        for (name, argument) in effect.arguments.as_object().into_iter().flatten() {
            lines.push(format!("     {} {}", column(name, 10), value(argument)));
        }
    }
    if let Some(digest) = &found.digest {
        lines.push(format!(" {} {digest}", column("sha256", LABEL_COLUMNS)));
    }
    lines
}

fn value(value: &serde_json::Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fit(&safe(&text), VALUE_CHARACTERS_MAX)
}
