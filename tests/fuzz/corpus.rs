//! What the targets begin with, and how it is cut and mixed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tests::samples;

/// Edits of one input, at most: with many, nothing gets past the first lines of a reader.
const EDITS_MAX: u16 = 7;
/// Bytes of one input at most: deep nesting and long lists fit, megabytes do not.
const BYTES_MAX: usize = 64 * 1024;
/// Files of the large collection that are used, evenly spread over it.
const COLLECTED_MAX: usize = 400;

/// Pieces that break readers.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "${{ ",
    " }}",
    "{{{",
    "{{#if ",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{202e}",
    "\u{feff}",
    "\r\n",
    "\n\n",
    "\t",
    "- ",
    ": ",
    "&a ",
    "*a",
    "<<: ",
    "!!",
    "|-\n",
    "#",
    "[[[[[[[[",
    "{\"a\":",
    "]",
    "}",
    ",",
    "null",
    "true",
    "-0",
    "1e999",
    "9223372036854775808",
    "0x10",
    "1.7976931348623157e309",
    "2026-02-30T25:61:61Z",
    "::ffff:127.0.0.1",
    "0177.0.0.1",
    "169.254.169.254",
    "xn--",
    "http://a@b:c@d/",
    "%00",
    "%2e%2e/",
    "<script>",
    "&lt;",
    "]]>",
    "--",
    "=?utf-8?b?",
    "Content-Type: multipart/mixed; boundary=x\r\n",
    "steps.",
    "has(",
    ".all(x, ",
    "matches('(a+)+$')",
    "duration('1s')",
    "💥",
];

/// How an input is made: which text and how many edits, and the edits.
pub(crate) type Recipe = (u16, Vec<(u8, u32, u8)>);

/// How many inputs came through a reader. A target that only ever sees refusals tries nothing.
#[derive(Default)]
pub(crate) struct Reached {
    all: AtomicU64,
    through: AtomicU64,
}

impl Reached {
    /// One more input.
    pub(crate) fn count(&self, through: bool) {
        self.all.fetch_add(1, Ordering::Relaxed);
        self.through.fetch_add(u64::from(through), Ordering::Relaxed);
    }

    /// At least this share came through.
    pub(crate) fn at_least(&self, percent: u64) {
        let (all, through) = (
            self.all.load(Ordering::Relaxed),
            self.through.load(Ordering::Relaxed),
        );
        println!("{all} inputs, {through} came through");
        assert!(
            through * 100 >= all * percent,
            "{through} of {all} came through, {percent} % should"
        );
    }
}

/// Texts of one format.
pub(crate) struct Corpus {
    texts: Vec<Vec<u8>>,
    /// How many of them, the first, every checkout has. Half of the inputs are made of these.
    own: usize,
}

impl Corpus {
    /// The files below folders of this repository whose names end so, of which half of the inputs
    /// are made; the rest of others like them, and of those of the large collection where it is.
    pub(crate) fn of(own: &[(&str, &str)], others: &[(&str, &str)], collected: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let found = |(folder, end): &(&str, &str)| {
            let mut paths = samples::files(&root.join(folder));
            paths.retain(|path| path.to_string_lossy().ends_with(end));
            assert!(!paths.is_empty(), "nothing in {folder} ends in {end}");
            texts(&paths)
        };
        let mut all: Vec<Vec<u8>> = own.iter().flat_map(found).collect();
        let own = all.len();
        all.extend(others.iter().flat_map(found));
        if let Some(folder) = samples::folder("fuzzing of the large collection") {
            let paths = collected
                .iter()
                .flat_map(|part| samples::files(&folder.join(part)));
            let paths: Vec<PathBuf> = paths.collect();
            let step = paths.len().div_ceil(COLLECTED_MAX).max(1);
            all.extend(texts(&paths.into_iter().step_by(step).collect::<Vec<_>>()));
        }
        Self { texts: all, own }
    }

    /// The lines of one file of this repository.
    pub(crate) fn lines_of(file: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        Self::whole(text.lines().map(|line| line.as_bytes().to_vec()))
    }

    /// Texts that are given.
    pub(crate) fn given(texts: &[&str]) -> Self {
        Self::whole(texts.iter().map(|text| text.as_bytes().to_vec()))
    }

    fn whole(texts: impl Iterator<Item = Vec<u8>>) -> Self {
        let texts: Vec<_> = texts.collect();
        Self {
            own: texts.len(),
            texts,
        }
    }

    /// One input.
    pub(crate) fn make(&self, (which, edits): &Recipe) -> Vec<u8> {
        let count = if which % 2 == 0 {
            self.own
        } else {
            self.texts.len()
        };
        let mut text = self.texts[usize::from(which / 2) % count].clone();
        for (kind, at, with) in edits.iter().take(usize::from(which / 257 % (EDITS_MAX + 1))) {
            let at = usize::try_from(*at).unwrap() % (text.len() + 1);
            let end = (at + usize::from(*with)).min(text.len());
            match kind % 8 {
                0 => {
                    if let Some(byte) = text.get_mut(at) {
                        *byte = *with;
                    }
                }
                1 => text.insert(at, *with),
                2 => drop(text.drain(at..end)),
                3 => {
                    let twice = text[at..end].to_vec();
                    text.splice(at..at, twice);
                }
                4 | 5 => {
                    let piece = PIECES[usize::from(*with) % PIECES.len()];
                    text.splice(at..at, piece.bytes());
                }
                6 => {
                    let other = &self.texts[(usize::from(*which) + usize::from(*with)) % count];
                    let from = at.min(other.len());
                    text.truncate(at);
                    text.extend_from_slice(&other[from..]);
                }
                _ => {
                    let half = at + (end - at) / 2;
                    text[at..end].rotate_left(half - at);
                }
            }
            text.truncate(BYTES_MAX);
        }
        text
    }

    /// One input that is text.
    pub(crate) fn make_text(&self, recipe: &Recipe) -> String {
        String::from_utf8_lossy(&self.make(recipe)).into_owned()
    }
}

fn texts(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    let read = paths.iter().map(|path| std::fs::read(path).unwrap());
    read.filter(|text| text.len() <= BYTES_MAX).collect()
}
