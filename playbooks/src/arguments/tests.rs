//! The three ways to write a value, and mixtures of them.

use serde_json::json;

use super::*;
use crate::diagnostic::Source;
use crate::expression::tests::{Given, env_of};

fn parse(text: &str, ty: Option<Type>) -> Result<Argument, Vec<Diagnostic>> {
    let mut env = env_of(&[]);
    env.add_name("s", Type::String, None);
    env.add_name("r", Type::record([("a", Type::Int)]), None);
    let expected = ty.map_or(Expected::Any, |ty| Expected::Parameter("p".to_owned(), ty));
    let source = Source::new("p.yaml", text);
    Argument::parse_text(
        &Snippet::new(&source, 0..text.len(), text),
        &env,
        Destination {
            expected: &expected,
            sink: Sink::Plain,
            blocks: Blocks::Refused,
        },
    )
}

fn resolved(text: &str) -> Value {
    let given = Given(json!({"s": "x{{s}}", "r": {"a": 1}}));
    parse(text, None)
        .unwrap_or_else(|found| panic!("{text}: {found:#?}"))
        .resolve(&given)
        .unwrap()
        .unwrap()
}

#[test]
fn each_way_gives_what_it_promises() {
    for (text, expected) in [
        ("plain", json!("plain")),
        ("${x} $ {y} }}", json!("${x} $ {y} }}")),
        ("a {{s}}", json!("a x{{s}}")),
        ("${{ s }}", json!("x{{s}}")),
        ("  ${{ r.a + 1 }}  ", json!(2)),
        ("${{ r }}", json!({"a": 1})),
        ("${{ {'a': {'b': 1} } }}", json!({"a": {"b": 1}})),
        ("${{ '}}' }}", json!("}}")),
        ("${{ '${{ s }}' }}", json!("${{ s }}")),
    ] {
        assert_eq!(resolved(text), expected, "{text}");
    }
}

#[test]
fn mixtures_are_refused_at_the_culprit() {
    for (text, at) in [
        ("a ${{ s }}", 2),
        ("${{ s }} b", 0),
        ("${{ s }}${{ s }}", 8),
        ("${{ s }} and ${{ s }}", 13),
        ("{{s}} ${{ s }}", 6),
        ("${{ s", 0),
        ("${{}", 0),
    ] {
        let found = parse(text, None).map(|_| ()).unwrap_err();
        assert_eq!(
            (found[0].code, found[0].primary.place.clone()),
            ("PB107", at..at + 3),
            "{text}"
        );
    }
}

#[test]
fn places_inside_the_braces_are_places_of_the_source() {
    let text = "${{ s + nope }}";
    let found = parse(text, None).map(|_| ()).unwrap_err();
    assert_eq!(&text[found[0].primary.place.clone()], "nope");
    let found = parse("${{ }}", None).map(|_| ()).unwrap_err();
    assert_eq!(found[0].code, "PB118");
}

#[test]
fn a_text_is_no_number() {
    let found = parse("{{r.a}}", Some(Type::Int)).map(|_| ()).unwrap_err();
    assert_eq!(found[0].code, "PB210");
    assert!(parse("{{r.a}}", Some(Type::Text(crate::types::TextForm::Url))).is_ok());
    assert!(parse("${{ r.a }}", Some(Type::Int)).is_ok());
}

#[test]
fn omitted_parts_are_left_out() {
    let omitted = || parse("${{ omit }}", Some(Type::Int.optional())).unwrap();
    let tree = Argument::Map(IndexMap::from([
        ("gone".to_owned(), omitted()),
        (
            "kept".to_owned(),
            Argument::List(vec![omitted(), Argument::Literal(json!(1))]),
        ),
    ]));
    assert_eq!(tree.resolve(&Given(json!({}))), Ok(Some(json!({"kept": [1]}))));
}
