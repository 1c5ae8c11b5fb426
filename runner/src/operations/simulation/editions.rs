//! Which texts of a playbook are simulated.

use std::sync::Arc;

use playbooks::compile::{Bundle, Compilation, Environment, compile};
use playbooks::diagnostic::Level;
use state::access::Scope;
use state::store::{PAGE_ROWS_MAX, PageRequest, RunFilter};
use web::OperationError;
use web::operations::Answer;
use web::view::simulation::Edition;

use super::super::LocalOperations;
use crate::library::Compiled;

/// Editions that one simulation compares.
const EDITIONS_MAX: usize = 2;
/// Characters of a revision that name it.
const REVISION_CHARACTERS_MIN: usize = 8;
/// Runs that are looked through for a version.
const RUNS_SEARCHED_MAX: usize = 10_000;

impl LocalOperations {
    /// The editions that were asked for, the current one when none was.
    pub(super) async fn editions(
        &self,
        scope: &Scope,
        playbook: &str,
        asked: &[Edition],
    ) -> Answer<Vec<Arc<Compiled>>> {
        if asked.len() > EDITIONS_MAX {
            return Err(OperationError::invalid(format!(
                "at most {EDITIONS_MAX} editions can be compared"
            )));
        }
        if asked.is_empty() {
            return Ok(vec![self.current(playbook)?]);
        }
        let mut editions = Vec::with_capacity(asked.len());
        for edition in asked {
            editions.push(match edition {
                Edition::Named(name) => self.named(scope, playbook, name).await?,
                Edition::Draft {
                    name,
                    playbook: text,
                    templates,
                } => {
                    let bundle = Bundle {
                        name: name.clone(),
                        playbook: text.clone(),
                        templates: templates.clone().into_iter().collect(),
                    };
                    self.draft(playbook, bundle)?
                }
            });
        }
        Ok(editions)
    }

    async fn named(&self, scope: &Scope, playbook: &str, name: &str) -> Answer<Arc<Compiled>> {
        if name == "current" {
            return self.current(playbook);
        }
        let version: Option<i64> = name.parse().ok();
        let is_it = |version_of: i64, revision: &str| match version {
            Some(version) if name.len() < REVISION_CHARACTERS_MIN => version_of == version,
            _ => name.len() >= REVISION_CHARACTERS_MIN && revision.starts_with(name),
        };
        if let Some(current) = self.dispatcher.library().get(playbook)
            && is_it(current.plan.version, &current.plan.revision)
        {
            return Ok(current);
        }
        let mut after = None;
        let mut searched = 0;
        loop {
            let filter = RunFilter {
                playbook: Some(playbook.to_owned()),
                ..RunFilter::default()
            };
            let request = PageRequest {
                after,
                limit: PAGE_ROWS_MAX,
            };
            let page = self.dispatcher.store().runs(scope, filter, request).await?;
            searched += page.rows.len();
            let found = page
                .rows
                .iter()
                .find(|run| is_it(run.playbook.version, &run.playbook.revision));
            if let Some(run) = found {
                return self.compiled(&run.playbook.revision).await;
            }
            after = page.next;
            if after.is_none() || searched >= RUNS_SEARCHED_MAX {
                let shown: String = name.chars().take(60).collect();
                return Err(OperationError::not_found(format!(
                    "edition `{shown}` of `{playbook}`: write `current`, a version or a revision that has run, \
                     or the file of a draft;"
                )));
            }
        }
    }

    /// A draft, checked as a published playbook is.
    fn draft(&self, playbook: &str, bundle: Bundle) -> Answer<Arc<Compiled>> {
        let operator = self.dispatcher.operator();
        let environment = Environment {
            catalog: &**self.dispatcher.registry(),
            operator: Some(&operator),
        };
        let Compilation { plan, diagnostics } = compile(&bundle, environment);
        match plan {
            Some(plan) if plan.id == playbook => Ok(Arc::new(Compiled { plan, bundle })),
            Some(plan) => Err(OperationError::invalid(format!(
                "the draft is `{}`, not `{playbook}`",
                plan.id
            ))),
            None => {
                let first = diagnostics.iter().find(|found| found.level == Level::Error);
                let why = first.map_or_else(String::new, |found| {
                    format!(": {}: {}", found.code, found.message)
                });
                Err(OperationError::invalid(format!(
                    "the draft does not compile{why}; `sortie check` shows all of it"
                )))
            }
        }
    }
}
