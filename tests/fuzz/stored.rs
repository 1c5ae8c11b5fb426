//! What comes out of the store or is spoken by people: events, references, numbers of questions.

use bolero::check;
use serde_json::Value;
use state::event::Recorded;
use state::ids::{EntityId, IncidentId, InquiryId, Path, RunId};

use crate::corpus::{Corpus, Reached, Recipe};

#[test]
fn events_are_read_back_as_they_are_written() {
    let corpus = Corpus::lines_of("state/golden/event.v1.jsonl");
    let reached = Reached::default();
    check!()
        .with_iterations(6_000)
        .with_type::<Recipe>()
        .for_each(|recipe| {
            let bytes = corpus.make(recipe);
            let line = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
            let read = serde_json::from_value::<Recorded>(line["event"].clone());
            reached.count(read.is_ok());
            if let Ok(recorded) = read {
                let written = serde_json::to_string(&recorded).unwrap();
                let again: Recorded = serde_json::from_str(&written).unwrap();
                assert_eq!(again, recorded, "{written}");
            }
        });
    reached.at_least(5);
}

/// What is accepted as a name is printed as it was given. Whether it is accepted.
fn stable<T: std::str::FromStr + ToString>(text: &str) -> bool {
    let read = text.parse::<T>();
    if let Ok(name) = &read {
        assert_eq!(name.to_string(), text);
    }
    read.is_ok()
}

#[test]
fn names_are_printed_as_they_were_accepted() {
    let corpus = Corpus::given(&[
        "PH-2026-00417",
        "ID-2026-00001",
        "01m896djcb0ew61zhfp5r3nms7",
        "ville-exemple",
        "A-93",
        "A-4294967295",
        "undo:block[2]",
        "block",
    ]);
    let reached = Reached::default();
    check!()
        .with_iterations(10_000)
        .with_type::<Recipe>()
        .for_each(|recipe| {
            let text = corpus.make_text(recipe);
            let read = [
                stable::<IncidentId>(&text),
                stable::<RunId>(&text),
                stable::<EntityId>(&text),
                // People may say it in small letters.
                stable::<InquiryId>(&text.to_ascii_uppercase()),
                stable::<Path>(&text),
            ];
            reached.count(read.contains(&true));
        });
    reached.at_least(5);
}
