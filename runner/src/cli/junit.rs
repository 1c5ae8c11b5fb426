//! Test results as `JUnit` XML, as continuous integration reads it.
//!
//! Owns the escaping: names and values may hold anything, the document is well-formed all the same.

use std::fmt::Write as _;

use super::diagnostics;
use super::trials::{kind, words};
use crate::trials::Report;
use playbooks::diagnostic::Level;

/// The whole document.
pub(crate) fn document(reports: &[Report]) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for report in reports {
        suite(&mut xml, report);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, report: &Report) {
    let errors: Vec<String> = report
        .findings
        .iter()
        .filter(|found| found.level == Level::Error)
        .map(diagnostics::short)
        .collect();
    let failures = report
        .tests
        .iter()
        .filter(|test| !test.failures.is_empty())
        .count();
    let name = escaped(&report.playbook);
    let file = escaped(&report.source.name);
    // Writing into a String cannot fail.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{name}\" file=\"{file}\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\" time=\"{}\">",
        report.tests.len() + errors.len(),
        errors.len(),
        seconds(report.milliseconds)
    );
    for error in &errors {
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{name}\" name=\"check\" file=\"{file}\"><error message=\"{}\"/></testcase>",
            escaped(error)
        );
    }
    for test in &report.tests {
        let _ = write!(
            xml,
            "    <testcase classname=\"{name}\" name=\"{}\" file=\"{file}\" line=\"{}\" time=\"{}\"",
            escaped(&test.name),
            test.line,
            seconds(test.milliseconds)
        );
        if test.failures.is_empty() {
            xml.push_str("/>\n");
            continue;
        }
        let keys: Vec<&str> = test.failures.iter().map(kind).collect();
        let lines: Vec<String> = test
            .failures
            .iter()
            .flat_map(|failure| words(failure, report))
            .collect();
        let _ = writeln!(
            xml,
            ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
            escaped(&keys.join(", ")),
            escaped(&lines.join("\n"))
        );
    }
    xml.push_str("  </testsuite>\n");
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// Text for an attribute or element. What XML 1.0 cannot hold at all becomes U+FFFD; line breaks and
/// tabs are written so that attributes keep them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use engine::rehearsal::Difference;
    use playbooks::diagnostic::Source;

    use super::*;
    use crate::trials::{Failure, Outcome};

    #[test]
    fn hostile_names_stay_text() {
        for (text, expected) in [
            (
                "a < b && \"c\" > 'd'",
                "a &lt; b &amp;&amp; &quot;c&quot; &gt; &apos;d&apos;",
            ),
            (
                "]]></failure><testcase/>",
                "]]&gt;&lt;/failure&gt;&lt;testcase/&gt;",
            ),
            ("a\u{0}b\u{1b}[31m\u{ffff}", "a\u{fffd}b\u{fffd}[31m\u{fffd}"),
            ("one\ntwo\tthree\r", "one&#10;two&#9;three&#13;"),
            ("été 漢字 🐟", "été 漢字 🐟"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn a_failed_test_with_a_hostile_name_is_one_test_case() {
        let hostile = "\"/></testcase><testcase name=\"x\u{0}";
        let report = Report {
            source: Source::new("p.test.yaml", ""),
            playbook: "p".to_owned(),
            findings: Vec::new(),
            tests: vec![Outcome {
                name: hostile.to_owned(),
                line: 7,
                failures: vec![Failure::Difference(Difference {
                    key: "status",
                    place: 0..0,
                    expected: vec![hostile.to_owned()],
                    got: vec!["]]>".to_owned()],
                })],
                crashes: 0,
                trace: Vec::new(),
                milliseconds: 1_234,
            }],
            coverage: None,
            milliseconds: 5,
        };
        let xml = document(&[report]);
        assert_eq!(xml.matches("<testcase").count(), 1, "{xml}");
        assert_eq!(xml.matches("</testcase>").count(), 1, "{xml}");
        assert!(
            xml.contains("line=\"7\" time=\"1.234\"") && xml.contains("failures=\"1\""),
            "{xml}"
        );
        assert!(!xml.contains('\u{0}') && !xml.contains("]]>"), "{xml}");
    }
}
