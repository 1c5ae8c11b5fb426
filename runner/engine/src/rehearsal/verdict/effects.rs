//! Effects that were expected beside those that happened, in any order.

use playbooks::trial::{Expect, WantedEffect};

use super::super::mocked::Effect;
use super::super::trial::Played;
use super::{Difference, is_wanted, words};

pub(super) fn compare(expect: &Expect, played: &Played, found: &mut Vec<Difference>) {
    let happened = happened(&played.effects);
    if let Some(wanted) = &expect.effects {
        complete(&wanted.value, &wanted.place, &happened, found);
    }
    for wanted in &expect.effects_include {
        if !happened.iter().any(|effect| is_wanted(wanted, effect)) {
            let nearest = happened
                .iter()
                .find(|effect| effect.action == wanted.action.value);
            let (expected, got) = beside(wanted, nearest.copied());
            found.push(Difference::new(
                "effects_include",
                &wanted.action.place,
                expected,
                got,
            ));
        }
    }
    for (action, wanted) in &expect.effects_count {
        let of_action: Vec<&&Effect> = happened
            .iter()
            .filter(|effect| effect.action == action.value)
            .collect();
        if usize::try_from(*wanted).is_ok_and(|wanted| wanted != of_action.len()) {
            let mut difference = Difference::new(
                "effects_count",
                &action.place,
                format!("{} x{wanted}", action.value),
                format!("{} x{}", action.value, of_action.len()),
            );
            difference
                .got
                .extend(of_action.iter().map(|effect| whole(effect)));
            found.push(difference);
        }
    }
    for action in &expect.never {
        for effect in happened.iter().filter(|effect| effect.action == action.value) {
            found.push(Difference::new(
                "never",
                &action.place,
                format!("no {}", action.value),
                whole(effect),
            ));
        }
    }
}

/// One for each time an effect happened.
fn happened(effects: &[Effect]) -> Vec<&Effect> {
    effects
        .iter()
        .flat_map(|effect| std::iter::repeat_n(effect, usize::try_from(effect.times).unwrap_or(1)))
        .collect()
}

/// The list is complete: nothing is missing and nothing is more.
fn complete(
    wanted: &[WantedEffect],
    place: &playbooks::diagnostic::Place,
    happened: &[&Effect],
    found: &mut Vec<Difference>,
) {
    let mut taken: Vec<Option<usize>> = vec![None; happened.len()];
    let mut missing = Vec::new();
    for (index, _) in wanted.iter().enumerate() {
        if !assign(
            index,
            wanted,
            happened,
            &mut taken,
            &mut vec![false; happened.len()],
        ) {
            missing.push(index);
        }
    }
    let mut extra: Vec<&Effect> = happened
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| taken.is_none())
        .map(|(effect, _)| *effect)
        .collect();
    for index in missing {
        let Some(wanted) = wanted.get(index) else {
            continue;
        };
        let alike = extra
            .iter()
            .position(|effect| effect.action == wanted.action.value)
            .map(|at| extra.remove(at));
        let (expected, got) = beside(wanted, alike);
        found.push(Difference::new("effects", &wanted.action.place, expected, got));
    }
    for effect in extra {
        found.push(Difference::new("effects", place, "nothing more", whole(effect)));
    }
}

/// Gives a wanted effect one that happened, moving others if need be; so that a wanted effect
/// without parameters never takes away the only one that fits a stricter one.
fn assign(
    index: usize,
    wanted: &[WantedEffect],
    happened: &[&Effect],
    taken: &mut Vec<Option<usize>>,
    tried: &mut Vec<bool>,
) -> bool {
    for (place, effect) in happened.iter().enumerate() {
        let fits = wanted.get(index).is_some_and(|wanted| is_wanted(wanted, effect));
        if !fits || tried.get(place).copied().unwrap_or(true) {
            continue;
        }
        if let Some(tried) = tried.get_mut(place) {
            *tried = true;
        }
        let free = match taken.get(place).copied().flatten() {
            None => true,
            Some(holder) => assign(holder, wanted, happened, taken, tried),
        };
        if free {
            if let Some(slot) = taken.get_mut(place) {
                *slot = Some(index);
            }
            return true;
        }
    }
    false
}

/// A wanted effect and the one nearest to it, both with the parameters that differ.
fn beside(wanted: &WantedEffect, got: Option<&Effect>) -> (String, String) {
    let action = &wanted.action.value;
    let Some(got) = got else {
        let parameters: Vec<String> = wanted
            .parameters
            .iter()
            .map(|one| format!("{}: {}", one.name.value, words::value(&one.value)))
            .collect();
        return (
            format!("{action} {}", parameters.join(", "))
                .trim_end()
                .to_owned(),
            format!("no {action}"),
        );
    };
    let differing = wanted.parameters.iter().filter(|parameter| {
        let got = got.arguments.get(&parameter.name.value);
        got.is_none_or(|got| !super::fits(&parameter.value, got))
    });
    let (expected, found): (Vec<String>, Vec<String>) = differing
        .map(|parameter| {
            let name = &parameter.name.value;
            let (expected, got) = words::contrast(&parameter.value, got.arguments.get(name));
            (format!("{name}: {expected}"), format!("{name}: {got}"))
        })
        .unzip();
    if expected.is_empty() {
        return (
            format!("one more {action}"),
            format!("{action} at {} only", got.path),
        );
    }
    (
        format!("{action} {}", expected.join(", ")),
        format!("{action} {}     at {}", found.join(", "), got.path),
    )
}

/// An effect with all it was told.
fn whole(effect: &Effect) -> String {
    format!(
        "{} {}     at {}",
        effect.action,
        words::value(&effect.arguments),
        effect.path
    )
}

/// What two orders of the same test did differently; none when they did the same. A failing run
/// starts nothing new, so what else happened beside the failure depends on the order by nature: of
/// runs that fail only the end is compared.
pub fn same_effects(one: &Played, two: &Played) -> Option<Difference> {
    let list = |played: &Played| {
        let mut list: Vec<String> = happened(&played.effects)
            .iter()
            .map(|effect| format!("{} {} at {}", effect.action, effect.arguments, effect.path))
            .collect();
        list.sort();
        list
    };
    let (first, second) = (list(one), list(two));
    let failing = ["failed", "refused", "cancelled"].contains(&one.status);
    let same_end = one.status == two.status && (failing || one.outputs == two.outputs);
    if same_end && (failing || first == second) {
        return None;
    }
    let only = |these: &[String], others: &[String]| -> Vec<String> {
        let mut others = others.to_vec();
        let mut only = Vec::new();
        for line in these {
            match others.iter().position(|other| other == line) {
                Some(at) => {
                    others.remove(at);
                }
                None => only.push(words::cut(line, 0)),
            }
        }
        only
    };
    let ended = |played: &Played, lines: Vec<String>| {
        let end = format!("{}, {} effects", played.status, happened(&played.effects).len());
        std::iter::once(end).chain(lines).collect()
    };
    Some(Difference {
        key: "order",
        place: 0..0,
        expected: ended(one, only(&first, &second)),
        got: ended(two, only(&second, &first)),
    })
}
