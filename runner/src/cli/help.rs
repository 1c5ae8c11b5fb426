//! Help as people read it: every page starts with its examples.
//!
//! Owns the order of a help page. The examples stand beside the commands in the table of arguments,
//! where the manual page finds them too.

use clap::{Command, CommandFactory as _};

use super::arguments::Cli;

/// The table of commands, as it is parsed and as it helps.
pub(super) fn command() -> Command {
    examples_first(Cli::command())
}

/// What stands behind a page, up to its first empty line, is put in front of it.
fn examples_first(command: Command) -> Command {
    let behind = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (examples, rest) = behind.split_once("\n\n").unwrap_or((&behind, ""));
    command
        .before_help(examples.to_owned())
        .after_help(rest.to_owned())
        .mut_subcommands(examples_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every page, by the words that lead to it.
    fn pages(command: &mut Command, path: &str, found: &mut Vec<(String, String)>) {
        found.push((path.to_owned(), command.render_long_help().to_string()));
        for below in command.get_subcommands_mut() {
            let path = format!("{path} {}", below.get_name());
            pages(below, &path, found);
        }
    }

    #[test]
    fn the_table_of_commands_is_consistent() {
        Cli::command().debug_assert();
        command().debug_assert();
    }

    #[test]
    fn every_help_starts_with_two_examples_of_its_command() {
        let mut found = Vec::new();
        pages(&mut command(), "sortie", &mut found);
        assert!(found.len() > 30, "{} pages", found.len());
        let mut wrong = Vec::new();
        for (path, page) in &found {
            let examples: Vec<&str> = page
                .strip_prefix("Examples:\n")
                .into_iter()
                .flat_map(str::lines)
                .take_while(|line| line.starts_with("  "))
                .collect();
            if examples.len() < 2 || !examples.iter().any(|line| line.contains(path.as_str())) {
                wrong.push(format!("{path}: {examples:?}"));
            }
            // An example that does not parse teaches the wrong thing.
            for line in examples {
                for part in line
                    .trim()
                    .split(" && ")
                    .filter(|part| part.starts_with("sortie "))
                {
                    let until = part.find(['|', '>']).unwrap_or(part.len());
                    let words = part.get(..until).unwrap_or(part);
                    let words = words.split("   ").next().unwrap_or(words);
                    if let Err(error) = command().try_get_matches_from(split(words))
                        && error.use_stderr()
                    {
                        wrong.push(format!("{path}: {line}: {error}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Words as a shell splits them, quotes included.
    fn split(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut open = None;
        for character in line.trim().chars() {
            match (character, open) {
                ('\'' | '"', None) => open = Some(character),
                (found, Some(quote)) if found == quote => open = None,
                (' ', None) => words.push(String::new()),
                (character, _) => words.last_mut().expect("never empty").push(character),
            }
        }
        words
    }
}
