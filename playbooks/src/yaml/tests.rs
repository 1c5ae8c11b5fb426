//! Tests of yaml: behaviour at its edges and against hostile input.

use std::path::PathBuf;
use std::time::Duration;

use super::*;

fn source(text: &str) -> Source {
    Source::new("t.yaml", text)
}

/// `code line:column` of each finding.
fn findings(text: &str) -> Vec<String> {
    let source = source(text);
    match read(&source) {
        Ok(_) => Vec::new(),
        Err(list) => list
            .iter()
            .map(|finding| {
                let (line, column) = source.line_column(finding.primary.place.start);
                format!("{} {line}:{column}", finding.code)
            })
            .collect(),
    }
}

fn fixed(text: &str) -> String {
    let source = source(text);
    let finding = read(&source).unwrap_err().remove(0);
    let fix = finding.fix.expect("a machine can repair this");
    format!(
        "{}{}{}",
        &text[..fix.place.start],
        fix.replacement,
        &text[fix.place.end..]
    )
}

#[test]
fn every_key_and_value_has_a_place() {
    let text = "a: 1\nb:\n  c: [x, 'y']\n  d: {e: 1.5}\nf: >-\n  one\n  two\n";
    let node = read(&source(text)).unwrap();
    let at = |node: &Node| text[node.place.clone()].to_owned();
    assert_eq!(at(node.get("a").unwrap()), "1");
    let b = node.get("b").unwrap();
    assert_eq!(at(b), "c: [x, 'y']\n  d: {e: 1.5}");
    assert_eq!(at(b.get("c").unwrap()), "[x, 'y']");
    assert_eq!(at(b.get("d").unwrap().get("e").unwrap()), "1.5");
    assert_eq!(at(node.get("f").unwrap()), "one\n  two");
    assert_eq!(&text[fields(&node)["f"].key_place.clone()], "f");
}

#[test]
fn a_part_of_a_text_is_found_in_every_style() {
    for text in [
        "x: one + wanted + two\n",
        "x: \"é \\\"a\\\" \\u00e9 + wanted + two\"\n",
        "x: 'it''s + wanted + two'\n",
        "x: >-\n  one +\n  two  +\n\n    wanted + two\n",
        "x: |\n  one\n    two wanted\n  three\n",
        "x: one\n  two\n  wanted + 1\n",
    ] {
        let source = source(text);
        let node = read(&source).unwrap();
        let value = node.get("x").unwrap();
        let start = value.text().unwrap().find("wanted").unwrap();
        let place = value.place_of(&source, start..start + "wanted".len());
        assert_eq!(&text[place], "wanted", "{text}");
    }
}

#[test]
fn scalars_that_readers_disagree_on_are_refused_with_a_remedy() {
    for (text, repaired) in [
        ("a: yes\n", "a: true\n"),
        ("a: Off\n", "a: false\n"),
        ("a: 0755\n", "a: \"0755\"\n"),
        ("a: 1_000\n", "a: 1000\n"),
        ("a: 12345678901234567890123\n", "a: \"12345678901234567890123\"\n"),
        ("a: 0x1F\n", "a: \"0x1F\"\n"),
        ("a: 20:00\n", "a: \"20:00\"\n"),
        ("a: 1e9\n", "a: \"1e9\"\n"),
        ("a: .inf\n", "a: \".inf\"\n"),
    ] {
        assert_eq!(findings(text), ["PB111 1:4"], "{text}");
        assert_eq!(fixed(text), repaired);
        assert!(read(&source(repaired)).is_ok(), "{repaired}");
    }
    for harmless in [
        "a: \"yes\"\n",
        "a: 2s..5m\n",
        "a: 192.0.2.1\n",
        "a: 2026-01-12\n",
        "a: 24h\n",
        "a: -3\n",
    ] {
        assert_eq!(findings(harmless), Vec::<String>::new(), "{harmless}");
    }
}

#[test]
fn integers_are_read_up_to_both_ends_of_64_bits() {
    for (text, good) in [
        ("9223372036854775807", true),
        ("9223372036854775808", false),
        ("-9223372036854775808", true),
        ("-9223372036854775809", false),
    ] {
        assert_eq!(findings(&format!("a: {text}\n")).is_empty(), good, "{text}");
    }
}

#[test]
fn what_hides_meaning_is_refused() {
    assert_eq!(findings("a: 1\nb: 2\na: 3\n"), ["PB108 3:1"]);
    assert_eq!(findings("a: &x 1\n"), ["PB102 1:4"]);
    assert_eq!(findings("a: 1\nb: *x\n"), ["PB102 2:4"]);
    assert_eq!(findings("a: {<<: 1}\n"), ["PB102 1:5"]);
    assert_eq!(findings("a: !!str 1\n"), ["PB102 1:4"]);
    assert_eq!(findings("a: !include x\n"), ["PB102 1:4"]);
    assert_eq!(findings("a: 1\n---\nb: 2\n"), ["PB102 2:1"]);
    assert_eq!(findings("a: x\u{202e}y\n"), ["PB119 1:5"]);
    assert_eq!(findings("a: x\u{200b}y\n"), ["PB119 1:5"]);
    assert_eq!(findings("\u{feff}a: 1\n"), Vec::<String>::new());
    assert_eq!(findings("a:\n\tb: 1\n")[0][..5], *"PB101");
}

#[test]
fn expressions_without_quotes_are_explained_and_repaired() {
    for (text, code, repaired) in [
        ("if: !a.b && c\n", "PB105 1:5", "if: \"!a.b && c\"\n"),
        ("if: !has(a.b)\n", "PB105 1:5", "if: \"!has(a.b)\"\n"),
        ("if: 'a' == b\n", "PB105 1:5", "if: \"'a' == b\"\n"),
        ("x: [a] + b\n", "PB105 1:4", "x: \"[a] + b\"\n"),
        ("x: a ? 'b' : c\n", "PB105 1:4", "x: \"a ? 'b' : c\"\n"),
        (
            "w:\n  a: ${{ a ? b : c }}\n",
            "PB105 2:6",
            "w:\n  a: \"${{ a ? b : c }}\"\n",
        ),
        (
            "m: {{ incident.mail }}\n",
            "PB104 1:4",
            "m: ${{ incident.mail }}\n",
        ),
    ] {
        assert_eq!(findings(text), [code], "{text}");
        assert_eq!(fixed(text), repaired);
        assert!(read(&source(repaired)).is_ok(), "{repaired}");
    }
    assert_eq!(findings("w: {a: ${{ x }}}\n"), ["PB105 1:4"]);
}

#[test]
fn limits_hold_one_below_at_and_above() {
    let sized = |bytes: usize| format!("a: {}\n", "x".repeat(bytes - 4));
    assert!(read(&source(&sized(SOURCE_BYTES_MAX))).is_ok());
    assert_eq!(findings(&sized(SOURCE_BYTES_MAX + 1)), ["PB114 1:1"]);
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&source(&nested(DEPTH_MAX))).is_ok());
    assert!(findings(&nested(DEPTH_MAX + 1))[0].starts_with("PB114"));
    let block = |depth: usize| format!("{}x\n", "- ".repeat(depth));
    assert!(read(&source(&block(DEPTH_MAX))).is_ok());
    assert!(findings(&block(DEPTH_MAX + 1))[0].starts_with("PB114"));
    let many = |nodes: usize| format!("[{}]", vec!["1"; nodes - 1].join(","));
    assert!(read(&source(&many(NODES_MAX))).is_ok());
    assert!(findings(&many(NODES_MAX + 1))[0].starts_with("PB114"));
}

#[test]
fn hostile_shapes_end_quickly() {
    let shapes = [
        "[".repeat(200_000),
        "{a: ".repeat(60_000),
        "{\"\":[".repeat(50_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "a:\n ".repeat(60_000),
        (0..20_000)
            .map(|n| format!("{}a:\n", " ".repeat(n % 400)))
            .take(1_200)
            .collect::<String>(),
        "\"".repeat(200_000),
        "'a ".repeat(80_000),
        "&a ".repeat(80_000),
        "!a ".repeat(80_000),
        "x: |\n".to_owned() + &" \n".repeat(100_000),
        "x ".repeat(130_000),
        "x\n".repeat(130_000),
        "#\n".repeat(130_000),
        "---\n".repeat(60_000),
        "%".repeat(200_000),
        "\n".repeat(260_000),
        "a: {".to_owned() + &"b,".repeat(120_000),
        (0..30_000)
            .map(|n| format!("k{n}: 1\n"))
            .collect::<Vec<_>>()
            .concat(),
    ];
    for (number, shape) in shapes.iter().enumerate() {
        within_a_second(shape, &format!("shape {number}"));
    }
}

/// Reads on a thread with a 2 MiB stack and fails when no answer comes in a second (five in a
/// build without optimisation).
fn within_a_second(text: &str, name: &str) {
    let patience = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });
    let source = source(text);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            let _ = sender.send(read(&source).is_ok());
        })
        .unwrap();
    assert!(
        receiver.recv_timeout(patience).is_ok(),
        "{name} took too long or panicked"
    );
}

fn samples() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests may ask where the samples are")]
    let named = std::env::var("SORTIE_SAMPLES").ok().map(PathBuf::from);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    [
        named,
        Some(root.join("../../shared/data")),
        Some(root.join("../../../shared/data")),
    ]
    .into_iter()
    .flatten()
    .find(|path| path.is_dir())
}

#[test]
fn public_yaml_suites_neither_panic_nor_hang() {
    let Some(samples) = samples() else {
        println!("skipped: no sample data beside the workspace");
        return;
    };
    let mut read_files = 0;
    for folder in ["bad-input/yaml-hostile", "bad-input/yaml-test-suite"] {
        for entry in std::fs::read_dir(samples.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            within_a_second(&text, &path.display().to_string());
            if folder.ends_with("hostile") {
                assert!(read(&source(&text)).is_err(), "{}", path.display());
            }
            // The suite keeps each case's YAML inside a block of the file; read those as well.
            for case in text.split("\n  yaml: |\n").skip(1) {
                let inner = case
                    .lines()
                    .take_while(|line| line.starts_with("    ") || line.is_empty())
                    .map(|line| line.get(4..).unwrap_or(""))
                    .collect::<Vec<_>>()
                    .join("\n");
                within_a_second(
                    &inner.replace('␣', " ").replace("——»", "\t"),
                    &path.display().to_string(),
                );
            }
            read_files += 1;
        }
    }
    assert!(read_files > 100, "{read_files}");
}
