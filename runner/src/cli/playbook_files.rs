//! Commands about playbooks as files: check, graph, explain, schema, and the catalogue of actions.
//! They need no server, no store and no network.

use std::path::{Path, PathBuf};

use playbooks::action_spec::{ActionSpec, Catalog};
use playbooks::diagnostic::Level;
use playbooks::marking::EffectClass;
use playbooks::plan::{Edge, Node, Plan};

use super::arguments::{Actions, Check, Format, Graph, Output, Picture, SchemaOf};
use super::exit_code::Exit;
use super::terminal::{Terminal, safe};
use super::{Session, diagnostics, print, repair};
use crate::library::{self, Loaded};
use crate::trials;

/// `sortie check`.
pub(crate) fn check(session: &Session, arguments: &Check) -> Result<Exit, Exit> {
    let catalog = session.catalogue()?;
    let settings = session.settings_if_present()?;
    let operator = settings.as_ref().map(|settings| &settings.operator);
    let paths = match arguments.paths.as_slice() {
        [] => vec![session.project.join("playbooks")],
        paths => paths.iter().map(|path| trials::playbook_of(path)).collect(),
    };
    if arguments.fix {
        repair::repair(session, &paths, &catalog, operator)?;
    }
    let mut loaded = load(session, &paths, &catalog, operator)?;
    for compiled in &loaded.compiled {
        loaded
            .diagnostics
            .extend(trials::check_beside(compiled, &catalog));
    }
    diagnostics::sort(&mut loaded.diagnostics);
    let terminal = &session.terminal;
    match arguments.format {
        Format::Human => {
            for found in &loaded.diagnostics {
                terminal.line(diagnostics::human(found, terminal.colour, terminal.width))?;
                terminal.line("")?;
            }
        }
        Format::Short => loaded
            .diagnostics
            .iter()
            .try_for_each(|found| terminal.line(diagnostics::short(found)))?,
        Format::Json => print::one(terminal, Output::Json, &diagnostics::as_json(&loaded.diagnostics))?,
        Format::Sarif => print::one(
            terminal,
            Output::Json,
            &diagnostics::as_sarif(&loaded.diagnostics),
        )?,
    }
    if arguments.edges {
        for compiled in &loaded.compiled {
            edges(terminal, &compiled.plan)?;
        }
    }
    let errors = loaded
        .diagnostics
        .iter()
        .filter(|found| found.level == Level::Error)
        .count();
    let warnings = loaded.diagnostics.len() - errors;
    terminal.say(summary(errors, warnings, loaded.files));
    if let Some(first) = loaded.diagnostics.first() {
        let repairable = loaded.diagnostics.iter().any(|found| {
            playbooks::repair::repairable(std::slice::from_ref(found), &found.primary.source.name) > 0
        });
        let fix = if repairable { " . sortie check --fix" } else { "" };
        terminal.say(format!("next: sortie explain {}{fix}", first.code));
    }
    Ok(if errors > 0 || (arguments.strict && warnings > 0) {
        Exit::No
    } else {
        Exit::Yes
    })
}

fn summary(errors: usize, warnings: usize, files: usize) -> String {
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    };
    match (errors, warnings) {
        (0, 0) => format!("{} ok", count(files, "playbook")),
        _ => format!(
            "{}, {} in {}",
            count(errors, "error"),
            count(warnings, "warning"),
            count(files, "playbook")
        ),
    }
}

fn edges(terminal: &Terminal, plan: &Plan) -> Result<(), Exit> {
    terminal.line(format!("{} v{}", plan.id, plan.version))?;
    for step in plan.steps.values() {
        let waits: Vec<String> = step
            .waits_for
            .iter()
            .map(|(node, edge)| {
                let name = match node {
                    Node::Step(id) => id.clone(),
                    Node::Let(name) => format!("{name} (let)"),
                };
                match edge {
                    Edge::Needs => name,
                    Edge::Guarded => format!("{name}?"),
                    Edge::After => format!("after {name}"),
                }
            })
            .collect();
        terminal.line(format!(
            "  {} <- {}",
            step.id,
            if waits.is_empty() {
                "-".to_owned()
            } else {
                waits.join(", ")
            }
        ))?;
    }
    Ok(())
}

fn load(
    session: &Session,
    paths: &[PathBuf],
    catalog: &dyn Catalog,
    operator: Option<&playbooks::operator::Operator>,
) -> Result<Loaded, Exit> {
    library::load(paths, catalog, operator).map_err(|error| {
        session.terminal.complain(error.to_string());
        session
            .terminal
            .remedy("name a playbook file or a folder with playbooks");
        Exit::Usage
    })
}

/// `sortie graph`.
pub(crate) fn graph(session: &Session, arguments: &Graph) -> Result<Exit, Exit> {
    let plan = one_plan(session, &arguments.playbook)?;
    match arguments.format {
        Picture::Ascii => session.terminal.line(crate::graph::ascii(&plan).trim_end())?,
        Picture::Svg => session.terminal.line(crate::graph::svg(&plan).trim_end())?,
    }
    Ok(Exit::Yes)
}

/// A playbook by file name or by id in the project.
fn one_plan(session: &Session, name: &str) -> Result<Plan, Exit> {
    let file = if Path::new(name).is_file() {
        PathBuf::from(name)
    } else {
        session.project.join("playbooks").join(format!("{name}.yaml"))
    };
    let terminal = &session.terminal;
    if !file.is_file() {
        terminal.complain(format!("there is no playbook `{}`", safe(name)));
        terminal.remedy(format!(
            "name a file, or an id whose file lies in {}",
            session.project.join("playbooks").display()
        ));
        return Err(Exit::NotFound);
    }
    let catalog = session.catalogue()?;
    let mut loaded = load(session, &[file], &catalog, None)?;
    if let Some(compiled) = loaded.compiled.pop() {
        return Ok(compiled.plan);
    }
    for found in loaded
        .diagnostics
        .iter()
        .filter(|found| found.level == Level::Error)
    {
        terminal.say(diagnostics::human(found, terminal.colour, terminal.width));
    }
    terminal.complain("the playbook has errors");
    Err(Exit::No)
}

/// `sortie explain`.
pub(crate) fn explain(session: &Session, code: Option<&str>) -> Result<Exit, Exit> {
    let terminal = &session.terminal;
    let Some(code) = code else {
        for one in playbooks::codes::CODES {
            terminal.line(format!(
                "{}  {:7}  {}",
                one.code,
                level_word(one.level),
                one.summary
            ))?;
        }
        for (code, page) in crate::config::codes::PAGES {
            terminal.line(format!("{code}           {}", title(page)))?;
        }
        return Ok(Exit::Yes);
    };
    let wanted = code.to_ascii_uppercase();
    let language = playbooks::codes::CODES
        .iter()
        .find(|one| one.code == wanted)
        .map(|one| one.page);
    match language.or_else(|| crate::config::codes::page(&wanted)) {
        Some(page) => {
            terminal.line(page.trim_end())?;
            Ok(Exit::Yes)
        }
        None => {
            terminal.complain(format!("there is no code `{}`", safe(code)));
            terminal.remedy("`sortie explain` alone lists them all");
            Err(Exit::NotFound)
        }
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// The heading of a page, without its code.
fn title(page: &str) -> &str {
    let heading = page.lines().next().unwrap_or("").trim_start_matches('#').trim();
    heading.split_once(' ').map_or(heading, |(_, words)| words)
}

/// `sortie schema`.
pub(crate) fn schema(session: &Session, of: SchemaOf, write: bool) -> Result<Exit, Exit> {
    let catalog = session.catalogue()?;
    let schema = |of: SchemaOf| match of {
        SchemaOf::Playbook => playbooks::schema::playbook(&catalog),
        SchemaOf::Test => playbooks::schema::trials(&catalog),
    };
    if !write {
        print::one(&session.terminal, Output::Json, &schema(of))?;
        return Ok(Exit::Yes);
    }
    let folder = session.project.join(".sortie");
    for (of, name) in [
        (SchemaOf::Playbook, "playbook.schema.json"),
        (SchemaOf::Test, "test.schema.json"),
    ] {
        let file = folder.join(name);
        let text = serde_json::to_string_pretty(&schema(of)).map_err(|_| Exit::Unreachable)?;
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&file, text + "\n"))
            .map_err(|error| {
                session
                    .terminal
                    .complain(format!("cannot write {}: {error}", file.display()));
                Exit::Usage
            })?;
        session.terminal.say(format!("wrote {}", file.display()));
    }
    Ok(Exit::Yes)
}

/// `sortie actions`.
pub(crate) fn actions(session: &Session, command: &Actions) -> Result<Exit, Exit> {
    let catalog = session.catalogue()?;
    match command {
        Actions::List { effect } => {
            let class = match effect {
                None => None,
                Some(word) => Some(word.parse::<EffectClass>().map_err(|error| {
                    session.terminal.complain(error.to_string());
                    Exit::Usage
                })?),
            };
            let rows: Vec<serde_json::Value> = catalog
                .names()
                .into_iter()
                .filter_map(|name| catalog.action(name))
                .filter(|spec| class.is_none_or(|class| spec.effect == class))
                .map(|spec| {
                    serde_json::json!({
                        "name": spec.name, "effect": spec.effect, "exposure": spec.exposure, "summary": spec.summary,
                        "providers": providers(&catalog, &spec.name),
                    })
                })
                .collect();
            let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
            print::list(
                &session.terminal,
                session.output,
                "sortie.actions/1",
                &rows,
                None,
                &["action", "effect", "exposure", "providers", "summary"],
                |row| {
                    let providers: Vec<&str> = row["providers"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(serde_json::Value::as_str)
                        .collect();
                    vec![
                        text(row, "name"),
                        text(row, "effect"),
                        text(row, "exposure"),
                        providers.join(" "),
                        text(row, "summary"),
                    ]
                },
            )?;
            Ok(Exit::Yes)
        }
        Actions::Doc { name } => match catalog.action(name) {
            Some(spec) => {
                session.terminal.line(document(spec, &catalog).trim_end())?;
                Ok(Exit::Yes)
            }
            None => {
                session
                    .terminal
                    .complain(format!("there is no action `{}`", safe(name)));
                session.terminal.remedy("`sortie actions list` shows all of them");
                Err(Exit::NotFound)
            }
        },
    }
}

fn providers(catalog: &dyn Catalog, name: &str) -> Vec<String> {
    catalog
        .providers(name)
        .into_iter()
        .map(|provider| provider.provider.clone())
        .collect()
}

/// The page of one action, as Markdown.
fn document(spec: &ActionSpec, catalog: &dyn Catalog) -> String {
    let mut page = format!("# {}\n\n{}\n\n", spec.name, spec.summary);
    page += &format!(
        "Effect `{}`, exposure `{}` (up to {}).\n",
        spec.effect,
        spec.exposure,
        spec.exposure.highest_pap().label()
    );
    let leaves = if spec.discloses.is_empty() {
        "nothing".to_owned()
    } else {
        spec.discloses.join(", ")
    };
    page += &format!("Leaves the house: {leaves}.\n");
    match (&spec.inverse, &spec.no_inverse_because) {
        (Some(inverse), _) => page += &format!("Taken back by `{inverse}`.\n"),
        (None, Some(why)) => page += &format!("Cannot be taken back: {why}.\n"),
        (None, None) => {}
    }
    page += &format!(
        "One attempt takes at most {}; {} attempts by default.\n",
        spec.timeout, spec.retry.attempts
    );
    page += "\n## Inputs\n\n";
    for (name, input) in &spec.inputs {
        page += &format!("- `{name}`: {} — {}\n", input.ty, input.description);
    }
    page += "\n## Outputs\n\n";
    for (name, ty) in &spec.outputs {
        page += &format!("- `{name}`: {ty}\n");
    }
    page += "\n## Providers\n\n";
    for provider in catalog.providers(&spec.name) {
        let recovery = serde_json::to_value(provider.recovery).ok();
        let word = recovery
            .as_ref()
            .and_then(serde_json::Value::as_str)
            .unwrap_or("");
        page += &format!(
            "- `{}`: reaches {}; after a crash it is treated as `{word}`\n",
            provider.provider, provider.discloses_to
        );
    }
    page += "\n## Example\n\n```yaml\n";
    let example = serde_json::json!({ "uses": spec.name, "with": spec.example.0 });
    page += &serde_yaml::to_string(&example).unwrap_or_default();
    page += "```\n\ngives\n\n```yaml\n";
    page += &serde_yaml::to_string(&spec.example.1).unwrap_or_default();
    page += "```\n";
    page
}
