//! Results in the form that was asked for: a table, JSON, JSON lines, YAML.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::arguments::Output;
use super::exit_code::Exit;
use super::terminal::{Terminal, safe};

/// Prints a list: rows as a table for people, or the whole answer for machines.
pub(crate) fn list<T: Serialize>(
    terminal: &Terminal,
    output: Output,
    format: &str,
    rows: &[T],
    next: Option<&str>,
    heading: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> Result<(), Exit> {
    match output {
        Output::Table => {
            if rows.is_empty() {
                terminal.say("nothing found");
                return Ok(());
            }
            let mut table = Table::new();
            table
                .load_preset(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Dynamic);
            if terminal.live {
                table.set_width(u16::try_from(terminal.width).unwrap_or(u16::MAX));
            } else {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
            table.set_header(heading.iter().map(|title| title.to_uppercase()));
            for row in rows {
                table.add_row(cells(row).iter().map(|cell| safe(cell)));
            }
            for line in table.to_string().lines() {
                // The table has one blank on either side of a cell.
                terminal.line(line.strip_prefix(' ').unwrap_or(line).trim_end())?;
            }
            if let Some(next) = next {
                terminal.say(format!("more: --cursor {next}"));
            }
            Ok(())
        }
        Output::Jsonl => rows.iter().try_for_each(|row| json_line(terminal, row)),
        Output::Json | Output::Yaml => one(
            terminal,
            output,
            &serde_json::json!({ "format": format, "rows": rows, "next": next }),
        ),
    }
}

/// Prints one thing for machines.
pub(crate) fn one<T: Serialize>(terminal: &Terminal, output: Output, value: &T) -> Result<(), Exit> {
    match output {
        Output::Yaml => {
            let text = serde_yaml::to_string(value).map_err(|_| Exit::Unreachable)?;
            terminal.line(text.trim_end())
        }
        Output::Jsonl => json_line(terminal, value),
        Output::Json | Output::Table => {
            let text = serde_json::to_string_pretty(value).map_err(|_| Exit::Unreachable)?;
            terminal.line(text)
        }
    }
}

fn json_line<T: Serialize>(terminal: &Terminal, value: &T) -> Result<(), Exit> {
    terminal.line(serde_json::to_string(value).map_err(|_| Exit::Unreachable)?)
}
