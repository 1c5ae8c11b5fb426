//! How the numbers of providers become verdicts and scores.
//!
//! Owns the thresholds. A score is 0 to 100, and more is worse; it orders, it proves nothing.

use playbooks::marking::Verdict;

/// Engines that must call a thing malicious before we do. Below it is suspicious: single engines
/// are wrong too often to act on.
pub(super) const MALICIOUS_ENGINES_MIN: u64 = 3;
/// `AbuseIPDB`'s confidence from which an address is malicious.
pub(super) const ABUSE_CONFIDENCE_MALICIOUS: u64 = 75;
/// `AbuseIPDB`'s confidence from which an address is suspicious.
pub(super) const ABUSE_CONFIDENCE_SUSPICIOUS: u64 = 25;
/// Worst score.
pub(super) const SCORE_MAX: u64 = 100;

/// What the word "malicious" of one engine adds to the score.
const POINTS_MALICIOUS: u64 = 10;
/// What the word "suspicious" of one engine adds to the score.
const POINTS_SUSPICIOUS: u64 = 5;

/// The verdict of many engines. Nobody looked means nobody knows.
pub(super) fn of_engines(malicious: u64, suspicious: u64, others: u64) -> (Verdict, u64) {
    let verdict = if malicious >= MALICIOUS_ENGINES_MIN {
        Verdict::Malicious
    } else if malicious > 0 || suspicious > 0 {
        Verdict::Suspicious
    } else if others > 0 {
        Verdict::Clean
    } else {
        Verdict::Unknown
    };
    let score = malicious
        .saturating_mul(POINTS_MALICIOUS)
        .saturating_add(suspicious.saturating_mul(POINTS_SUSPICIOUS))
        .min(SCORE_MAX);
    (verdict, score)
}

/// The verdict on an address from the confidence of reports about it. Not reported is not clean;
/// listed as harmless is.
pub(super) fn of_abuse_confidence(confidence: u64, listed_as_harmless: bool) -> Verdict {
    if confidence >= ABUSE_CONFIDENCE_MALICIOUS {
        Verdict::Malicious
    } else if confidence >= ABUSE_CONFIDENCE_SUSPICIOUS {
        Verdict::Suspicious
    } else if listed_as_harmless {
        Verdict::Clean
    } else {
        Verdict::Unknown
    }
}

#[cfg(test)]
mod tests {
    use playbooks::marking::Verdict;

    use super::{
        ABUSE_CONFIDENCE_MALICIOUS, ABUSE_CONFIDENCE_SUSPICIOUS, MALICIOUS_ENGINES_MIN, SCORE_MAX,
        of_abuse_confidence, of_engines,
    };

    #[test]
    fn engines_at_the_thresholds() {
        assert_eq!(
            of_engines(MALICIOUS_ENGINES_MIN - 1, 0, 80),
            (Verdict::Suspicious, 20)
        );
        assert_eq!(of_engines(MALICIOUS_ENGINES_MIN, 0, 80), (Verdict::Malicious, 30));
        assert_eq!(
            of_engines(MALICIOUS_ENGINES_MIN + 1, 0, 80),
            (Verdict::Malicious, 40)
        );
        assert_eq!(of_engines(0, 1, 80), (Verdict::Suspicious, 5));
        assert_eq!(of_engines(0, 0, 1), (Verdict::Clean, 0));
        assert_eq!(of_engines(0, 0, 0), (Verdict::Unknown, 0));
        assert_eq!(of_engines(u64::MAX, u64::MAX, 0), (Verdict::Malicious, SCORE_MAX));
    }

    #[test]
    fn confidence_at_the_thresholds() {
        let of = |confidence| of_abuse_confidence(confidence, false);
        assert_eq!(of(0), Verdict::Unknown);
        assert_eq!(of(ABUSE_CONFIDENCE_SUSPICIOUS - 1), Verdict::Unknown);
        assert_eq!(of(ABUSE_CONFIDENCE_SUSPICIOUS), Verdict::Suspicious);
        assert_eq!(of(ABUSE_CONFIDENCE_MALICIOUS - 1), Verdict::Suspicious);
        assert_eq!(of(ABUSE_CONFIDENCE_MALICIOUS), Verdict::Malicious);
        assert_eq!(of_abuse_confidence(0, true), Verdict::Clean);
        assert_eq!(of_abuse_confidence(99, true), Verdict::Malicious);
    }
}
