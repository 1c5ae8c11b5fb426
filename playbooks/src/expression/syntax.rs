//! From text to CEL's syntax tree, behind guards that keep the parser inside its stack.
//!
//! Owns parsing and the places of tree nodes. Meaning is [`super::check`]'s work.

use cel::Env;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};

use crate::diagnostic::{Diagnostic, Place};
use crate::snippet::Snippet;

/// Longest expression in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 1_024;
/// Deepest nesting of brackets, counted before the parser sees the text.
pub const BRACKET_DEPTH_MAX: usize = 24;
/// Deepest syntax tree; bounds the recursion of everything that walks it.
pub const TREE_DEPTH_MAX: usize = 64;

/// A parsed expression.
pub(super) struct Syntax {
    pub(super) root: IdedExpr,
    info: SourceInfo,
}

/// Parses an expression. Macros stay the calls they are written as.
pub(super) fn parse(snippet: &Snippet<'_>) -> Result<Syntax, Vec<Diagnostic>> {
    let text = snippet.text();
    let whole = 0..text.len();
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!(
            "an expression has at most {EXPRESSION_BYTES_MAX} bytes, this one has {}",
            text.len()
        );
        return Err(vec![
            snippet
                .error("PB221", &whole, message)
                .help("give parts of it a name under `let`"),
        ]);
    }
    if let Some(at) = too_deep(text, BRACKET_DEPTH_MAX) {
        let message = format!("brackets nest at most {BRACKET_DEPTH_MAX} deep");
        return Err(vec![snippet.error("PB221", &(at..at + 1), message)]);
    }
    if text.trim().is_empty() {
        return Err(vec![snippet.error("PB118", &whole, "an expression goes here")]);
    }
    let parser = Env::default().with_optional_support(false).parser();
    let (root, info) = parser
        .parse_with_source_info(text)
        .map_err(|errors| syntax_errors(snippet, &errors))?;
    if tree_depth(&root) > TREE_DEPTH_MAX {
        return Err(vec![
            snippet
                .error(
                    "PB221",
                    &whole,
                    format!("an expression nests at most {TREE_DEPTH_MAX} deep"),
                )
                .help("give parts of it a name under `let`"),
        ]);
    }
    Ok(Syntax { root, info })
}

/// The byte of the bracket that is one too deep. Brackets in quotes do not count.
pub(crate) fn too_deep(text: &str, most: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), byte) if byte == open => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return Some(at);
        }
    }
    None
}

fn syntax_errors(snippet: &Snippet<'_>, errors: &cel::ParseErrors) -> Vec<Diagnostic> {
    // Later errors of one text are mostly consequences of the first.
    let Some(first) = errors.errors.first() else {
        return vec![snippet.error("PB118", &(0..snippet.text().len()), "this is not CEL")];
    };
    let text = snippet.text();
    let (line, column) = first.pos;
    let at = offset_of(
        text,
        usize::try_from(line).unwrap_or(1),
        usize::try_from(column).unwrap_or(1),
    );
    let end = text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(at, |character| at + character.len_utf8());
    let said = first
        .msg
        .strip_prefix("Syntax error: ")
        .unwrap_or(&first.msg)
        .lines()
        .next()
        .unwrap_or("");
    let mut diagnostic = snippet
        .error("PB118", &(at..end), "this is not an expression")
        .label(plain_words(said));
    for (wrong, right) in [
        (" and ", "&&"),
        (" or ", "||"),
        ("not ", "!"),
        (" is ", "=="),
        (" = ", "=="),
        ("null", "has(...)"),
    ] {
        if text.contains(wrong) {
            diagnostic = diagnostic.help(format!("write `{right}` instead of `{}`", wrong.trim()));
        }
    }
    if text.contains("let.") {
        diagnostic = diagnostic.help("a let is read by its bare name, without `let.`");
    }
    vec![diagnostic]
}

/// What the parser says, without the lists of tokens nobody reads.
fn plain_words(said: &str) -> String {
    let cut = said.find(" expecting ").unwrap_or(said.len());
    let short: String = said.get(..cut).unwrap_or(said).chars().take(80).collect();
    short.replace("'<EOF>'", "the end").replace("<EOF>", "the end")
}

/// The byte of a line and column, both from 1, columns in characters.
pub(crate) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let (line, column) = (line.max(1), column.max(1));
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    text.get(start..)
        .and_then(|rest| rest.char_indices().nth(column - 1))
        .map_or(text.len(), |(at, _)| start + at)
}

/// Children of a node, in order.
fn children(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                EntryExpr::StructField(field) => vec![&field.value],
            })
            .collect(),
        Expr::Unspecified | Expr::Comprehension(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => {
            Vec::new()
        }
    }
}

fn tree_depth(expr: &IdedExpr) -> usize {
    1 + children(expr).into_iter().map(tree_depth).max().unwrap_or(0)
}

impl Syntax {
    /// The bytes an expression covers, as well as the tree can tell; brackets around it are left
    /// out.
    pub(super) fn place(&self, text: &str, expr: &IdedExpr) -> Place {
        let mut place = self.token(text, expr.id).unwrap_or(0..text.len());
        match &expr.expr {
            Expr::Select(select) => place.end = field_place(text, place.end, &select.field).end,
            Expr::Call(call) if call.target.is_none() && is_name(&call.func_name) => {
                let before = text.get(..place.start).unwrap_or("").trim_end();
                place.start = before.len().saturating_sub(call.func_name.len());
            }
            _ => {}
        }
        for child in children(expr) {
            let inner = self.place(text, child);
            place.start = place.start.min(inner.start);
            place.end = place.end.max(inner.end);
        }
        let closing = match &expr.expr {
            Expr::List(_) => Some(']'),
            Expr::Map(_) => Some('}'),
            Expr::Call(call) if call.func_name == cel::common::ast::operators::INDEX => Some(']'),
            Expr::Call(call) if is_name(&call.func_name) => Some(')'),
            _ => None,
        };
        if let Some(closing) = closing {
            let rest = text.get(place.end..).unwrap_or("");
            let blanks = rest.len() - rest.trim_start().len();
            if rest.trim_start().starts_with(closing) {
                place.end += blanks + 1;
            }
        }
        place
    }

    /// The bytes of the field name of a selection.
    pub(super) fn field(&self, text: &str, expr: &IdedExpr, field: &str) -> Place {
        let dot = self.token(text, expr.id).unwrap_or(0..text.len());
        field_place(text, dot.end, field)
    }

    /// The bytes of the name of a called function.
    pub(super) fn function(&self, text: &str, expr: &IdedExpr, name: &str) -> Place {
        let bracket = self.token(text, expr.id).unwrap_or(0..text.len());
        let before = text.get(..bracket.start).unwrap_or("").trim_end();
        before.len().saturating_sub(name.len())..before.len()
    }

    /// The bytes of the token a node was made at.
    fn token(&self, text: &str, id: u64) -> Option<Place> {
        let (start, stop) = self.info.offset_for(id)?;
        let (start, stop) = (usize::try_from(start).ok()?, usize::try_from(stop).ok()?);
        let end = text
            .get(stop..)
            .and_then(|rest| rest.chars().next())
            .map_or(stop + 1, |character| stop + character.len_utf8());
        (start <= end && text.is_char_boundary(start)).then_some(start..end.min(text.len()))
    }
}

fn field_place(text: &str, after_dot: usize, field: &str) -> Place {
    let rest = text.get(after_dot..).unwrap_or("");
    let start = after_dot + (rest.len() - rest.trim_start().len());
    start..(start + field.len()).min(text.len())
}

fn is_name(function: &str) -> bool {
    function
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !function.starts_with('_')
}
