//! One step as written.

use crate::action_spec::ErrorKind;
use crate::duration::Span;
use crate::plan::{ATTEMPTS_MAX, BACKOFF_MAX, OnFailure, Section};
use crate::yaml::{Data, Field, Node};

use super::reader::Reader;
use super::{Cel, ForEach, LINE_CHARACTERS_MAX, Placed, Retry, Step, approval, keys, repeat, undo, words};

/// Items a step may work on at the same time.
pub(super) const PARALLEL_MAX: i64 = 50;

pub(super) fn read(
    reader: &mut Reader<'_>,
    id: Placed<String>,
    section: Section,
    node: &Node,
) -> Option<Step> {
    let fields = reader.map(node, &keys::STEP)?;
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    let uses = if let Some(node) = value("uses") {
        reader.text(node, "uses", LINE_CHARACTERS_MAX)
    } else {
        reader.missing(
            &id.place,
            &format!("the step `{}`", id.value),
            "uses",
            "enrich.url",
        );
        None
    };
    let using = value("using").and_then(|node| reader.text(node, "using", LINE_CHARACTERS_MAX));
    let (with, with_place) = match fields.get("with") {
        Some(field) => (parameters(reader, field), field.key_place.clone()),
        None => (
            Vec::new(),
            uses.as_ref()
                .map_or_else(|| id.place.clone(), |uses| uses.place.clone()),
        ),
    };
    let condition = value("if").and_then(|node| reader.cel(node, "if"));
    let for_each = value("for_each").and_then(|node| for_each(reader, node));
    let max_parallel = fields.get("max_parallel").and_then(|field| {
        if !fields.contains_key("for_each") {
            let finding = reader
                .error("PB112", &field.key_place, "`max_parallel` belongs to `for_each`")
                .help("remove it, or add `for_each: item in <list>`");
            reader.report(finding);
        }
        reader.integer(&field.value, "max_parallel", (1, PARALLEL_MAX))
    });
    let after = value("after")
        .map(|node| {
            let items = reader.list(node, "after", "step");
            items
                .iter()
                .filter_map(|item| reader.text(item, "after", LINE_CHARACTERS_MAX))
                .collect()
        })
        .unwrap_or_default();
    let timeout = value("timeout").and_then(|node| positive(reader, node, "timeout", "timeout: 30s"));
    let retry = value("retry").and_then(|node| retry(reader, node));
    let on_failure = value("on_failure").and_then(|node| on_failure(reader, node));
    let if_refused_continue = value("if_refused").and_then(|node| {
        choice(
            reader,
            node,
            "if_refused",
            &[("stop", false), ("continue", true)],
            &[],
        )
    });
    Some(Step {
        section,
        name: value("name").cloned(),
        uses: uses?,
        using,
        with,
        with_place,
        condition,
        for_each,
        max_parallel: max_parallel.and_then(|count| usize::try_from(count).ok()),
        after,
        timeout,
        retry,
        on_failure,
        if_refused_continue,
        approval: value("approval").and_then(|node| approval::read(reader, node)),
        repeat: value("repeat").and_then(|node| repeat::read(reader, node)),
        undo: value("undo").and_then(|node| undo::read(reader, node)),
        id,
    })
}

pub(super) fn parameters(reader: &mut Reader<'_>, field: &Field) -> Vec<Field> {
    if let Data::Map(entries) = &field.value.data {
        return entries.clone();
    }
    reader.wrong_kind(&field.value, "with", "a map of parameters", "with: {ip: ...}");
    Vec::new()
}

pub(super) fn positive(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    example: &str,
) -> Option<Placed<Span>> {
    let span: Placed<Span> = reader.word(node, what, example)?;
    if span.value <= Span::default() {
        let finding = reader.error(
            "PB114",
            &node.place,
            format!("`{what}` must be longer than nothing"),
        );
        reader.report(finding);
        return None;
    }
    Some(span)
}

/// `item in <CEL list>`.
fn for_each(reader: &mut Reader<'_>, node: &Node) -> Option<ForEach> {
    let cel = reader.cel(node, "for_each")?;
    let split = cel
        .text
        .trim_start()
        .split_once(char::is_whitespace)
        .and_then(|(variable, rest)| {
            let list = rest.trim_start().strip_prefix("in")?;
            let trimmed = list.trim_start();
            (list.len() > trimmed.len() && !trimmed.trim().is_empty())
                .then_some((variable.to_owned(), trimmed.to_owned()))
        });
    let Some((variable, list)) = split else {
        let finding = reader
            .error("PB112", &node.place, "`for_each` wants `<variable> in <list>`")
            .help("write for example `for_each: link in steps.parts.urls`");
        reader.report(finding);
        return None;
    };
    let start = cel.text.len() - cel.text.trim_start().len();
    let variable = Placed {
        place: cel.place_of(reader.source(), start..start + variable.len()),
        value: variable,
    };
    if let Some(problem) = words::problem(&variable.value, false) {
        let finding = reader.error("PB113", &variable.place, problem);
        reader.report(finding);
        return None;
    }
    Some(ForEach {
        variable,
        list: Cel {
            offset: cel.text.len() - list.len(),
            node: cel.node,
            text: list,
        },
    })
}

fn retry(reader: &mut Reader<'_>, node: &Node) -> Option<Retry> {
    let fields = reader.map(node, &keys::RETRY)?;
    let attempts = fields
        .get("attempts")
        .and_then(|field| reader.integer(&field.value, "attempts", (1, i64::from(ATTEMPTS_MAX))))
        .and_then(|count| u32::try_from(count).ok());
    let backoff = fields
        .get("backoff")
        .and_then(|field| backoff(reader, &field.value));
    let errors = fields.get("errors").map(|field| {
        let words: Vec<(&str, ErrorKind)> = ErrorKind::RETRYABLE
            .iter()
            .map(|kind| (kind.word(), *kind))
            .collect();
        reader
            .list(&field.value, "errors", "timeout, unreachable")
            .iter()
            .filter_map(|item| choice(reader, item, "errors", &words, &[]))
            .map(|kind| kind.value)
            .collect()
    });
    Some(Retry {
        place: node.place.clone(),
        attempts,
        backoff,
        errors,
    })
}

/// `2s..5m`, or one duration for both ends.
fn backoff(reader: &mut Reader<'_>, node: &Node) -> Option<(Span, Span)> {
    let parsed = node.text().and_then(|text| {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        Some((
            low.trim().parse::<Span>().ok()?,
            high.trim().parse::<Span>().ok()?,
        ))
    });
    let Some((low, high)) = parsed else {
        reader.wrong_kind(node, "backoff", "a range of durations", "backoff: 2s..5m");
        return None;
    };
    if low > high || high > BACKOFF_MAX || low <= Span::default() {
        let finding = reader
            .error(
                "PB114",
                &node.place,
                format!("`backoff` goes from shortest to longest wait, at most {BACKOFF_MAX}"),
            )
            .help("write for example `backoff: 2s..5m`");
        reader.report(finding);
        return None;
    }
    Some((low, high))
}

fn on_failure(reader: &mut Reader<'_>, node: &Node) -> Option<Placed<OnFailure>> {
    choice(
        reader,
        node,
        "on_failure",
        &[
            ("stop", OnFailure::Stop),
            ("continue", OnFailure::Continue),
            ("undo", OnFailure::Undo),
        ],
        &[],
    )
}

/// One of a few words. `unbuilt` are words of the language that this version cannot do.
fn choice<T: Copy>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    words: &[(&str, T)],
    unbuilt: &[(&str, &str)],
) -> Option<Placed<T>> {
    let text = node.text().unwrap_or("");
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(Placed {
            value: *value,
            place: node.place.clone(),
        });
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let shown: String = text.chars().take(60).collect();
    let finding = if let Some((word, instead)) = unbuilt.iter().find(|(word, _)| *word == text) {
        reader
            .error("PB199", &node.place, format!("`{what}: {word}` is not built yet"))
            .help(*instead)
    } else {
        let mut finding = reader.error("PB112", &node.place, format!("`{what}` cannot be `{shown}`"));
        finding
            .help
            .extend(crate::suggestion::did_you_mean(text, known.iter().copied()));
        finding.help(format!("one of: {}", known.join(", ")))
    };
    reader.report(finding);
    None
}
