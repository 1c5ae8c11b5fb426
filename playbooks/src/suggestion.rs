//! "Did you mean": the nearest of a set of known words.

/// Suggestions of one message at most.
const SUGGESTIONS_MAX: usize = 5;
/// How alike two words must be, 0 to 1.
const LIKENESS_MIN: f64 = 0.6;
/// How much less alike than the best one a further suggestion may be.
const ALIKE_SPREAD: f64 = 0.15;

/// The known words most like the given one, nearest first, at most five; empty when none is like
/// it.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word: String = word.chars().take(64).collect();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (likeness(&word, candidate), candidate))
        .filter(|(score, _)| *score >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|(a, left), (b, right)| b.total_cmp(a).then(left.cmp(right)));
    scored.dedup_by_key(|(_, candidate)| *candidate);
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| best - score <= ALIKE_SPREAD);
    scored
        .into_iter()
        .take(SUGGESTIONS_MAX)
        .map(|(_, candidate)| candidate)
        .collect()
}

fn likeness(word: &str, candidate: &str) -> f64 {
    let edits = strsim::normalized_damerau_levenshtein(word, candidate);
    let contained =
        candidate.len() > 2 && word.len() > 2 && (candidate.contains(word) || word.contains(candidate));
    if contained { edits.max(LIKENESS_MIN) } else { edits }
}

/// The question "did you mean x?" with up to three words, when one is near.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let found = nearest(word, known);
    let words: Vec<String> = found
        .iter()
        .take(3)
        .map(|candidate| format!("`{candidate}`"))
        .collect();
    match words.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [rest @ .., last] => Some(format!("did you mean {} or {last}?", rest.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_comes_first_and_strangers_do_not_come() {
        let known = ["enrich.hash", "enrich.url", "block.ip"];
        assert_eq!(nearest("enrich.hsh", known).first(), Some(&"enrich.hash"));
        assert_eq!(nearest("zzz", known), Vec::<&str>::new());
        assert_eq!(
            did_you_mean("enrich.hsh", ["enrich.hash"]).as_deref(),
            Some("did you mean `enrich.hash`?")
        );
        assert_eq!(did_you_mean("zzz", known), None);
    }
}
