//! The branches of an expression: which there are, and which were taken.
//!
//! Owns what counts as a branch: a side of a `?:` that is no `?:` itself, so that a chain of n
//! questions has n + 1 branches. For the coverage of tests.

use std::collections::BTreeSet;

use super::Expression;
use super::evaluate::{self, parts};
use super::tree::{Kind, Node};
use crate::diagnostic::Place;
use crate::names::Names;

impl Expression {
    /// The branches in order of place, as bytes of the expression's own text.
    pub fn branches(&self) -> Vec<Place> {
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        found.sort_by_key(|place| (place.start, place.end));
        found
    }

    /// The places of [`Self::branches`] that evaluation goes through under these names. Those of
    /// an expression that cannot be evaluated are the ones on the way to the trouble.
    pub fn branches_taken(&self, names: &dyn Names) -> Vec<Place> {
        let trail: BTreeSet<(usize, usize)> = evaluate::trail(&self.root, &self.source, names)
            .into_iter()
            .map(|place| (place.start, place.end))
            .collect();
        self.branches()
            .into_iter()
            .filter(|place| trail.contains(&(place.start, place.end)))
            .collect()
    }
}

fn collect(node: &Node, found: &mut Vec<Place>) {
    if let Kind::Conditional(_, one, two) = &node.kind {
        let sides = [one, two].into_iter();
        let leaves = sides.filter(|side| !matches!(side.kind, Kind::Conditional(..)));
        found.extend(leaves.map(|side| side.place.clone()));
    }
    for part in parts(node) {
        collect(part, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::diagnostic::Place;
    use crate::expression::tests::{Given, compile, env_of, ty};
    use crate::expression::{Expected, Expression};

    fn compiled(text: &str) -> Expression {
        let mut env = env_of(&[]);
        env.add_name("inputs", ty("{score: int, scores: list<int>}"), None);
        compile(text, &env, &Expected::Any).expect("it compiles")
    }

    fn words(text: &str, places: Vec<Place>) -> Vec<String> {
        places.into_iter().map(|place| text[place].to_owned()).collect()
    }

    #[test]
    fn a_chain_of_two_questions_has_three_branches_and_one_is_taken() {
        let text = "inputs.score < 30 ? 'low' : inputs.score < 60 ? 'middle' : 'high'";
        let expression = compiled(text);
        assert_eq!(
            words(text, expression.branches()),
            ["'low'", "'middle'", "'high'"]
        );
        for (score, branch) in [(29, "'low'"), (30, "'middle'"), (60, "'high'")] {
            let names = Given(json!({"inputs": {"score": score}}));
            assert_eq!(words(text, expression.branches_taken(&names)), [branch]);
        }
    }

    #[test]
    fn branches_inside_a_comprehension_are_seen_for_every_item() {
        let expression = compiled("inputs.scores.map(s, s > 50 ? 'high' : 'low')");
        assert_eq!(expression.branches().len(), 2);
        let taken = |scores: Value| {
            let names = Given(json!({"inputs": {"scores": scores}}));
            expression.branches_taken(&names).len()
        };
        assert_eq!(
            (taken(json!([])), taken(json!([60])), taken(json!([60, 40]))),
            (0, 1, 2)
        );
    }
}
