//! Rendering: the context, the escapes, the counting output, the loop.
//!
//! Owns what may reach a template at run time: the values of the paths it reads and nothing else.
//! What it writes is never rendered again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use handlebars::{
    BlockContext, BlockParamHolder, Context, Handlebars, Helper, HelperDef, HelperResult, Output,
    RenderContext, RenderError, RenderErrorReason, Renderable,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::functions::{DateIn, INLINE, Metered, WRITE, Write, failed};
use super::{Slot, Template};
use crate::action_spec::Sink;
use crate::names::{Names, Unresolved, lookup};

/// Longest text a template may write, in bytes.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Items of one list that `each` goes over.
pub const EACH_ITEMS_MAX: usize = 1_000;
/// Items of all lists, nested ones counted each time, of one rendering.
pub const EACH_ITEMS_TOTAL_MAX: usize = 10_000;

/// Bytes that the functions of one rendering work on, all calls together.
pub const FUNCTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Renders a checked template.
pub(super) fn render(template: &Template, names: &dyn Names) -> Result<String, Unresolved> {
    let mut context = Map::with_capacity(template.slots.len());
    for Slot { name, path } in &template.slots {
        if let Some((root, segments)) = path.split_first()
            && let Some(value) = lookup(names, root, segments)
        {
            context.insert(name.clone(), value.into_owned());
        }
    }
    let context = Context::from(Value::Object(context));
    let registry: &Handlebars<'static> = match template.sink {
        Sink::Html => &HTML,
        Sink::Plain | Sink::Header => &LINE,
        Sink::Document | Sink::Markdown => &LINES,
        Sink::UrlPath => &SEGMENT,
        Sink::UrlQuery | Sink::Json => &VERBATIM,
    };
    let mut state = RenderContext::new(None);
    state.register_local_helper("each", Box::new(Each::default()));
    let left = Arc::new(AtomicUsize::new(FUNCTION_BYTES_MAX));
    for (name, function, _) in INLINE {
        let left = Arc::clone(&left);
        state.register_local_helper(
            name,
            Box::new(Metered {
                function: *function,
                left,
            }),
        );
    }
    if template.needs_zone {
        let zone = zone(names);
        state.register_local_helper("date", Box::new(DateIn { zone }));
    }
    let mut output = Counted::default();
    template
        .compiled
        .render(registry, &context, &mut state, &mut output)
        .map_err(|error| unresolved(template, names, &error))?;
    Ok(output.text)
}

/// The zone of the entity, else ours, else UTC.
fn zone(names: &dyn Names) -> String {
    ["entity", "org"]
        .into_iter()
        .find_map(|root| {
            let zone = lookup(names, root, &["timezone".to_owned()])?;
            zone.as_str().map(str::to_owned)
        })
        .unwrap_or_else(|| "UTC".to_owned())
}

fn unresolved(template: &Template, names: &dyn Names, error: &RenderError) -> Unresolved {
    match error.reason() {
        RenderErrorReason::MissingVariable(raw) => {
            let raw = raw.clone().unwrap_or_default();
            let path = template.written.get(&raw).cloned().unwrap_or(raw);
            Unresolved::Absent {
                why: names.why_absent(&path),
                path,
            }
        }
        RenderErrorReason::Other(why) => Unresolved::Failed(why.clone()),
        RenderErrorReason::IOError(_) => {
            Unresolved::Failed(format!("a text has at most {OUTPUT_BYTES_MAX} bytes"))
        }
        _ => Unresolved::Failed("the text could not be written".to_owned()),
    }
}

pub(super) fn too_long() -> RenderError {
    failed(format!("a text has at most {OUTPUT_BYTES_MAX} bytes"))
}

/// Text that stops growing at the limit.
#[derive(Default)]
struct Counted {
    text: String,
}

impl Output for Counted {
    fn write(&mut self, part: &str) -> Result<(), std::io::Error> {
        if self.text.len() + part.len() > OUTPUT_BYTES_MAX {
            return Err(std::io::Error::other("too long"));
        }
        self.text.push_str(part);
        Ok(())
    }
}

/// `each` over a list, with both limits. Handlebars' own has none.
#[derive(Default)]
struct Each {
    total: AtomicUsize,
}

impl HelperDef for Each {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        output: &mut dyn Output,
    ) -> HelperResult {
        let (Some(list), Some(body)) = (helper.param(0), helper.template()) else {
            return Err(failed("`each` goes over a list"));
        };
        if list.is_value_missing() || list.value().is_null() {
            return Err(RenderErrorReason::MissingVariable(list.relative_path().cloned()).into());
        }
        let Some(items) = list.value().as_array() else {
            return Err(failed("`each` goes over a list"));
        };
        if items.len() > EACH_ITEMS_MAX {
            return Err(failed(format!(
                "`each` goes over at most {EACH_ITEMS_MAX} items, this list has {}",
                items.len()
            )));
        }
        if self.total.fetch_add(items.len(), Ordering::Relaxed) + items.len() > EACH_ITEMS_TOTAL_MAX {
            return Err(failed(format!(
                "one text goes over at most {EACH_ITEMS_TOTAL_MAX} items in all"
            )));
        }
        if items.is_empty() {
            return match helper.inverse() {
                Some(otherwise) => otherwise.render(registry, context, state, output),
                None => Ok(()),
            };
        }
        for (index, item) in items.iter().enumerate() {
            let mut block = BlockContext::new();
            block.set_base_value(item.clone());
            block.set_local_var("index", Value::from(index));
            block.set_local_var("first", Value::Bool(index == 0));
            block.set_local_var("last", Value::Bool(index + 1 == items.len()));
            if let Some(name) = helper.block_param() {
                block.set_block_param(name, BlockParamHolder::value(item.clone()));
            }
            state.push_block(block);
            let result = body.render(registry, context, state, output);
            state.pop_block();
            result?;
        }
        Ok(())
    }
}

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One registry for each way of escaping: the escape belongs to the registry.
static HTML: LazyLock<Handlebars<'static>> = LazyLock::new(|| registry(html));
static LINE: LazyLock<Handlebars<'static>> = LazyLock::new(|| registry(one_line));
static LINES: LazyLock<Handlebars<'static>> = LazyLock::new(|| registry(many_lines));
static SEGMENT: LazyLock<Handlebars<'static>> = LazyLock::new(|| registry(one_segment));
static VERBATIM: LazyLock<Handlebars<'static>> = LazyLock::new(|| registry(str::to_owned));

fn registry(escape: fn(&str) -> String) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(escape);
    for unwanted in ["log", "lookup", "raw", "each"] {
        registry.unregister_helper(unwanted);
    }
    registry.register_helper(WRITE, Box::new(Write));
    registry
}

/// One segment of a path, whatever is in it: RFC 3986, all but the unreserved characters.
fn one_segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn html(text: &str) -> String {
    handlebars::html_escape(&many_lines(text))
}

/// A value on one line: controls are blanks, invisible direction marks are gone.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|character| !steers_direction(*character))
        .map(|character| {
            if character.is_control() || is_line_break(character) {
                ' '
            } else {
                character
            }
        })
        .collect()
}

/// A value that may have lines and tabs, and no other controls.
fn many_lines(text: &str) -> String {
    text.chars()
        .filter(|character| {
            !steers_direction(*character) && (!character.is_control() || matches!(character, '\n' | '\t'))
        })
        .collect()
}

const fn is_line_break(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{85}')
}

/// Characters nobody sees that reorder, hide or join the text around them.
const fn steers_direction(character: char) -> bool {
    matches!(character,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
