//! What commands print to: results on stdout, talk on stderr.
//!
//! Owns colour, width and the rule that text from incidents cannot act on a terminal. State is
//! always a word; colour only repeats it.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use super::exit_code::Exit;

/// Columns when the terminal does not say.
const WIDTH_DEFAULT: usize = 100;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// When stdout is a terminal and the environment does not object.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How this process talks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Whether to colour stdout.
    pub(crate) colour: bool,
    /// Whether lines may be rewritten in place.
    pub(crate) live: bool,
    /// Columns.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// Say nothing but the result.
    pub(crate) quiet: bool,
}

/// Writing to stdout failed. A closed pipe is not an error: the reader has seen enough.
pub(crate) fn written(result: std::io::Result<()>) -> Result<(), Exit> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit::Yes),
        Err(_) => Err(Exit::Unreachable),
    }
}

impl Terminal {
    pub(crate) fn new(colour: Colour, plain: bool, quiet: bool, dumb: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let auto = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
        let (width, height) = size().unwrap_or((WIDTH_DEFAULT, 0));
        Self {
            colour: match colour {
                Colour::Auto => auto && !plain,
                Colour::Always => true,
                Colour::Never => false,
            },
            live: terminal && !plain && !dumb,
            width: width.max(40),
            height,
            quiet,
        }
    }

    /// One line of the result.
    #[expect(
        clippy::unused_self,
        reason = "printing without a terminal at hand must not compile"
    )]
    pub(crate) fn line(&self, text: impl AsRef<str>) -> Result<(), Exit> {
        let mut out = std::io::stdout().lock();
        written(writeln!(out, "{}", text.as_ref()))
    }

    /// A result that is a whole text.
    #[expect(
        clippy::unused_self,
        reason = "printing without a terminal at hand must not compile"
    )]
    pub(crate) fn bytes(&self, text: &[u8]) -> Result<(), Exit> {
        let mut out = std::io::stdout().lock();
        written(out.write_all(text).and_then(|()| out.flush()))
    }

    /// One line of talk: progress, next steps. Not with `--quiet`.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            // Talk that nobody can hear is no reason to fail.
            let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
        }
    }

    /// An error for a person: one sentence, then what to do.
    pub(crate) fn complain(&self, text: impl AsRef<str>) {
        let head = self.paint("error", AnsiColor::BrightRed.on_default().bold());
        let _ = writeln!(std::io::stderr().lock(), "{head}: {}", text.as_ref());
    }

    /// What to do about the error before.
    #[expect(
        clippy::unused_self,
        reason = "printing without a terminal at hand must not compile"
    )]
    pub(crate) fn remedy(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "  help: {}", text.as_ref());
    }

    /// Text in a style, when colours are on.
    pub(crate) fn paint(&self, text: &str, style: Style) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// Columns and rows of the terminal behind stdout.
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then(|| (usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// Text from an incident or file, safe for a terminal line: controls and bidirectional characters
/// are shown, not obeyed.
pub(crate) fn safe(text: &str) -> String {
    super::diagnostics::visible(text).replace('\n', " ")
}

/// Text cut to a number of columns, with an ellipsis when something is missing.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(columns.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Text cut or filled to exactly a number of columns.
pub(crate) fn column(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let fill = columns.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(fill))
}

/// A number with its noun, as people write it: `1 entity`, `90 entities`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{number} {noun}")
}

/// Addresses that must not become links: `hxxp`, `[.]`.
pub(crate) fn defang(text: &str) -> String {
    let scheme = text.replace("https://", "hxxps://").replace("http://", "hxxp://");
    if scheme == text {
        text.to_owned()
    } else {
        scheme.replace('.', "[.]")
    }
}

/// A name of a host that must not become a link: the last dot as `[.]`. Addresses stay.
pub(crate) fn defang_name(text: &str) -> String {
    if text.parse::<std::net::IpAddr>().is_ok() || text.contains('/') {
        return text.to_owned();
    }
    match text.rsplit_once('.') {
        Some((before, last)) => format!("{before}[.]{last}"),
        None => text.to_owned(),
    }
}

/// A span for people: `12 ms`, `1.8 s`, `2 min 14 s`.
pub(crate) fn spent(milliseconds: i64) -> String {
    match milliseconds {
        ..1_000 => format!("{} ms", milliseconds.max(0)),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, (milliseconds % 1_000) / 100),
        60_000..3_600_000 => format!(
            "{} min {} s",
            milliseconds / 60_000,
            (milliseconds % 60_000) / 1_000
        ),
        _ => format!(
            "{} h {} min",
            milliseconds / 3_600_000,
            (milliseconds % 3_600_000) / 60_000
        ),
    }
}
