//! Whether a file of tests fits its playbook: every step, output, action and parameter it names
//! exists, and every value could occur.
//!
//! Brings values into the form in which the engine writes them, so that `24h` and `1d` are equal.

use serde_json::Value;

use super::{
    Answer, Answers, ApprovalAnswer, Approvals, Expect, Mock, Named, Part, Trial, TrialFile, WantedEffect,
};
use crate::action_spec::{ActionSpec, Catalog};
use crate::diagnostic::{Diagnostic, Place, Source};
use crate::document::{Document, Placed};
use crate::marking::EffectClass;
use crate::plan::{END_ARGUMENT, Plan, Section, Step};
use crate::suggestion::did_you_mean;
use crate::types::Type;
use crate::values;

/// Checks a file of tests against its playbook, `None` when there is no playbook of that name, and
/// brings its values into canonical form. Findings come in order of place.
pub fn check(
    source: &Source,
    file: &mut TrialFile,
    plan: Option<&Plan>,
    catalog: &dyn Catalog,
) -> Vec<Diagnostic> {
    let Some(plan) = plan else {
        let finding = Diagnostic::error(
            "PB501",
            source,
            file.playbook.place.clone(),
            format!("there is no playbook `{}` here", shown(&file.playbook.value)),
        )
        .help("the tests of `phishing-report.yaml` lie beside it in `phishing-report.test.yaml`");
        return vec![finding];
    };
    let mut checker = Checker {
        source,
        plan,
        catalog,
        findings: Vec::new(),
    };
    checker.part(&mut file.given);
    for trial in &mut file.trials {
        checker.part(&mut trial.own);
        checker.trial(trial);
    }
    checker.reads_without_mock(file);
    let mut findings = checker.findings;
    findings.sort_by_key(|finding| finding.primary.place.start);
    findings
}

/// Warnings about steps with effects that no test reached, at their places in the playbook.
pub fn unreached(
    playbook: &Source,
    document: &Document,
    plan: &Plan,
    reached: impl Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let effects = document.steps.iter().filter(|step| {
        plan.steps
            .get(&step.id.value)
            .is_some_and(|compiled| compiled.action.effect > EffectClass::Read)
    });
    effects
        .filter(|step| !reached(&step.id.value))
        .map(|step| {
            Diagnostic::warning(
                "PB505",
                playbook,
                step.id.place.clone(),
                format!("no test reaches `{}`, which acts on the world", step.id.value),
            )
            .help("write a test in which it happens")
        })
        .collect()
}

struct Checker<'a> {
    source: &'a Source,
    plan: &'a Plan,
    catalog: &'a dyn Catalog,
    findings: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn report(&mut self, code: &'static str, place: &Place, message: String, help: String) {
        let finding = Diagnostic::error(code, self.source, place.clone(), message).help(help);
        self.findings.push(finding);
    }

    fn part(&mut self, part: &mut Part) {
        for input in &part.inputs {
            if !self.plan.inputs.contains_key(&input.name.value) {
                let help = nearest(
                    &input.name.value,
                    self.plan.inputs.keys().map(String::as_str),
                    "its inputs",
                );
                self.report(
                    "PB502",
                    &input.name.place,
                    format!("the playbook has no input `{}`", shown(&input.name.value)),
                    help,
                );
            }
        }
        for mock in &mut part.mocks {
            self.mock(mock);
        }
        for asked in &part.approvals {
            let plan = self.plan;
            match plan.steps.get(&asked.step.value) {
                Some(step) => self.said(step, asked),
                None => self.unknown_step("PB502", &asked.step),
            }
        }
    }

    /// What people say must be something that they can say.
    fn said(&mut self, step: &Step, asked: &Approvals) {
        let choices = match step.action.outputs.get("answer") {
            Some(Type::OneOf(words)) if step.action.asks_people() => words.as_slice(),
            _ => &[],
        };
        let word = match &asked.answer {
            ApprovalAnswer::Silence => return,
            ApprovalAnswer::Approve => "approve",
            ApprovalAnswer::Refuse => "refuse",
            ApprovalAnswer::Choose(word) => word,
            ApprovalAnswer::By(_) => "",
        };
        let (fits, help) = if step.action.asks_people() {
            let near = nearest(word, choices.iter().map(String::as_str), "its choices");
            (choices.iter().any(|choice| choice == word), near)
        } else {
            let words = "write `approve`, `refuse`, `silence`, or who says what: [{approve: alice}]";
            (
                !matches!(asked.answer, ApprovalAnswer::Choose(_)),
                words.to_owned(),
            )
        };
        if !fits {
            self.report(
                "PB112",
                &asked.place,
                "this is nothing that people say".to_owned(),
                help,
            );
        }
    }

    fn mock(&mut self, mock: &mut Mock) {
        let plan = self.plan;
        let Some(step) = plan.steps.get(&mock.step.value) else {
            return self.unknown_step("PB502", &mock.step);
        };
        let answers = match &mut mock.answers {
            Answers::Always(answer) => std::slice::from_mut(answer),
            Answers::InTurn(answers) => answers.as_mut_slice(),
        };
        for answer in answers {
            if let Answer::Outputs(outputs) = answer {
                for output in outputs {
                    self.output(step, output);
                }
            } else if step.action.asks_people() {
                self.report(
                    "PB502",
                    &mock.step.place,
                    format!("`{}` asks people, and that cannot fail", shown(&mock.step.value)),
                    "write an answer, or under `approvals` that nobody gives one: `silence`".to_owned(),
                );
            }
        }
    }

    fn output(&mut self, step: &Step, output: &mut Named) {
        let action = &step.action;
        let name = &output.name.value;
        let Some(ty) = action.outputs.get(name) else {
            let known = action.outputs.keys().map(String::as_str);
            let help = nearest(name, known, &format!("outputs of {}", action.name));
            return self.report(
                "PB502",
                &output.name.place,
                format!("{} has no output `{}`", action.name, shown(name)),
                help,
            );
        };
        if output.value.is_null() && matches!(ty, Type::Optional(_)) {
            return;
        }
        match values::check(&output.value, ty) {
            Ok(value) => output.value = value,
            Err(why) => self.report(
                "PB502",
                &output.place,
                format!("`{name}` of {}: {why}", action.name),
                format!("`{name}` is {ty}"),
            ),
        }
    }

    fn trial(&mut self, trial: &mut Trial) {
        if let Some(step) = &trial.crash_after
            && !self.plan.steps.contains_key(&step.value)
        {
            self.unknown_step("PB504", step);
        }
        self.expect(&mut trial.expect);
    }

    fn expect(&mut self, expect: &mut Expect) {
        for output in &mut expect.outputs {
            match self.plan.outputs.get(&output.name.value) {
                Some(expression) => {
                    if let Ok(value) = values::check(&output.value, expression.ty()) {
                        output.value = value;
                    }
                }
                None => {
                    let help = nearest(
                        &output.name.value,
                        self.plan.outputs.keys().map(String::as_str),
                        "its outputs",
                    );
                    self.report(
                        "PB504",
                        &output.name.place,
                        format!("the playbook has no output `{}`", shown(&output.name.value)),
                        help,
                    );
                }
            }
        }
        let complete = expect.effects.iter_mut().flat_map(|effects| &mut effects.value);
        for effect in complete.chain(&mut expect.effects_include) {
            self.effect(effect);
        }
        for action in expect.effects_count.iter().filter(|(_, count)| *count > 0) {
            self.used_action(&action.0);
        }
        let absent = expect.effects_count.iter().filter(|(_, count)| *count == 0);
        let absent = absent.map(|(action, _)| action).chain(&expect.never);
        for action in absent {
            self.known_action(action);
        }
        let ran = expect.ran.iter().flat_map(|ran| &ran.value);
        let steps = ran
            .chain(&expect.ran_includes)
            .chain(expect.skipped.iter().map(|(step, _)| step))
            .chain(expect.refused.iter().map(|(step, _)| step))
            .chain(expect.waiting_on.iter().map(|(step, _)| step))
            .chain(expect.attempts.iter().map(|(step, _)| step))
            .chain(expect.undo.iter().map(|(step, _)| step))
            .chain(expect.undone.iter().flat_map(|undone| &undone.value));
        for step in steps {
            if !self.plan.steps.contains_key(&step.value) {
                self.unknown_step("PB504", step);
            }
        }
    }

    fn effect(&mut self, effect: &mut WantedEffect) {
        let Some(action) = self.used_action(&effect.action).cloned() else {
            return;
        };
        for parameter in &mut effect.parameters {
            let name = &parameter.name.value;
            let lasts = (name == END_ARGUMENT).then_some(&Type::Duration);
            let declared = action.inputs.get(name).map(|input| input.ty.required());
            let Some(ty) = lasts.or(declared) else {
                let known = action.inputs.keys().map(String::as_str);
                let help = nearest(name, known, &format!("parameters of {}", action.name));
                self.report(
                    "PB504",
                    &parameter.name.place,
                    format!("{} has no parameter `{}`", action.name, shown(name)),
                    help,
                );
                continue;
            };
            // Records match partly, so they are no whole values of their type.
            if matches!(parameter.value, Value::Object(_)) {
                continue;
            }
            match values::check(&parameter.value, ty) {
                Ok(value) => parameter.value = value,
                Err(why) => self.report(
                    "PB504",
                    &parameter.place,
                    format!("`{name}` of {}: {why}", action.name),
                    format!("`{name}` is {ty}"),
                ),
            }
        }
    }

    /// An action that some step uses; anything else can never happen.
    fn used_action(&mut self, name: &Placed<String>) -> Option<&std::sync::Arc<ActionSpec>> {
        let plan = self.plan;
        let used = plan.steps.values().find(|step| step.action.name == name.value);
        if used.is_none() {
            let effects: Vec<&str> = plan
                .steps
                .values()
                .filter(|step| step.action.effect > EffectClass::Read)
                .map(|step| step.action.name.as_str())
                .collect();
            let help = nearest(&name.value, effects.iter().copied(), "its effects");
            self.report(
                "PB504",
                &name.place,
                format!("no step of the playbook uses `{}`", shown(&name.value)),
                help,
            );
        }
        used.map(|step| &step.action)
    }

    fn known_action(&mut self, name: &Placed<String>) {
        if self.catalog.action(&name.value).is_none() {
            let help = nearest(
                &name.value,
                self.catalog.names(),
                "`sortie actions list` shows them",
            );
            self.report(
                "PB504",
                &name.place,
                format!("there is no action `{}`", shown(&name.value)),
                help,
            );
        }
    }

    fn unknown_step(&mut self, code: &'static str, step: &Placed<String>) {
        let help = nearest(
            &step.value,
            self.plan.steps.keys().map(String::as_str),
            "its steps",
        );
        self.report(
            code,
            &step.place,
            format!("the playbook has no step `{}`", shown(&step.value)),
            help,
        );
    }

    /// Reads that happen in every run that starts, and have no mock in a test whose run starts.
    /// Reads that only some runs reach are found when they are reached.
    fn reads_without_mock(&mut self, file: &TrialFile) {
        let plan = self.plan;
        let always = plan.steps.values().filter(|step| {
            step.section == Section::Steps
                && step.action.effect == EffectClass::Read
                && step.action.needs_connection
                && step.condition.is_none()
                && step.for_each.is_none()
                && step.waits_for.is_empty()
                && step.with.values().all(|argument| argument.reads().is_empty())
        });
        for step in always {
            for trial in &file.trials {
                let refused = trial
                    .expect
                    .status
                    .as_ref()
                    .is_some_and(|status| status.value == "refused");
                if refused || file.mocks(trial).contains_key(&step.id) {
                    continue;
                }
                let example = Value::Object(
                    step.action
                        .example
                        .1
                        .as_object()
                        .into_iter()
                        .flatten()
                        .take(2)
                        .map(|(name, value)| (name.clone(), value.clone()))
                        .collect(),
                );
                self.report(
                    "PB503",
                    &trial.name.place,
                    format!("`{}` reads the world and has no mock", step.id),
                    format!("write under `mocks:`: {}: {example}", step.id),
                );
            }
        }
    }
}

/// The nearest words, or all of them.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    did_you_mean(word, known.iter().copied()).unwrap_or_else(|| {
        if known.is_empty() {
            format!("{what}: none")
        } else if known.len() > 30 {
            what.to_owned()
        } else {
            format!("{what}: {}", known.join(", "))
        }
    })
}

/// A word of an author in a message.
fn shown(word: &str) -> String {
    word.chars().take(60).collect()
}
