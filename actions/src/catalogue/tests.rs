//! The catalogue keeps the promises that checker, engine and documentation read from it.

use playbooks::marking::EffectClass;
use playbooks::types::Type;

use super::capabilities;

#[test]
fn every_input_it_refers_to_exists() {
    for (name, spec) in capabilities() {
        let named = spec
            .discloses
            .iter()
            .chain(&spec.natural_key)
            .chain(spec.exactly_one_of.iter().flatten());
        for input in named {
            assert!(
                spec.inputs.contains_key(input),
                "{name} refers to the input {input}, which it has not"
            );
        }
    }
}

#[test]
fn what_contains_can_be_taken_back_or_says_why_not() {
    let all = capabilities();
    for (name, spec) in &all {
        if let Some(inverse) = &spec.inverse {
            assert!(
                all.contains_key(inverse),
                "{name} is undone by {inverse}, which does not exist"
            );
        } else if spec.effect >= EffectClass::Contain {
            assert!(
                spec.no_inverse_because.is_some(),
                "{name} does not say why it stays"
            );
        }
    }
}

#[test]
fn the_end_of_an_effect_is_no_input_and_every_block_can_be_taken_back() {
    for (name, spec) in capabilities() {
        let inputs = &spec.inputs;
        assert!(!inputs.contains_key(playbooks::plan::END_ARGUMENT), "{name}");
        assert!(!spec.must_end() || spec.inverse.is_some(), "{name}");
    }
}

#[test]
fn every_example_is_a_call_of_its_contract() {
    for (name, spec) in capabilities() {
        let (inputs, outputs) = &spec.example;
        let inputs = inputs
            .as_object()
            .unwrap_or_else(|| panic!("{name} has no example"));
        let outputs = outputs
            .as_object()
            .unwrap_or_else(|| panic!("{name} has no example"));
        for input in inputs.keys() {
            assert!(
                spec.inputs.contains_key(input),
                "example of {name} has the unknown input {input}"
            );
        }
        for output in outputs.keys() {
            assert!(
                spec.outputs.contains_key(output),
                "example of {name} has the unknown output {output}"
            );
        }
        let required = |ty: &Type| !matches!(ty, Type::Optional(_));
        for (input, parameter) in &spec.inputs {
            assert!(
                !required(&parameter.ty) || inputs.contains_key(input),
                "example of {name} lacks {input}"
            );
        }
        for (output, ty) in &spec.outputs {
            assert!(
                !required(ty) || outputs.contains_key(output),
                "example of {name} lacks {output}"
            );
        }
        for group in &spec.exactly_one_of {
            assert_eq!(
                group.iter().filter(|input| inputs.contains_key(*input)).count(),
                1,
                "example of {name}"
            );
        }
    }
}

#[test]
fn mails_are_rendered_from_a_template() {
    for (name, spec) in capabilities() {
        assert_eq!(
            spec.renders_mail,
            spec.inputs.contains_key("template"),
            "{name} has a template exactly when the engine renders it"
        );
    }
}

#[test]
fn every_provider_fulfils_a_capability_and_every_capability_here_has_one() {
    let all = capabilities();
    let providers = super::house_and_rest_actions();
    for provider in &providers {
        let spec = provider.provider();
        let capability = all.get(&spec.capability).unwrap_or_else(|| {
            panic!(
                "{} fulfils {}, which does not exist",
                spec.provider, spec.capability
            )
        });
        assert_eq!(capability.needs_connection, spec.provider != "house", "{spec:?}");
        if capability.effect >= EffectClass::Notify {
            assert_ne!(spec.recovery, playbooks::action_spec::Recovery::Read, "{spec:?}");
        }
    }
    let elsewhere = |name: &str| name.starts_with("enrich.") || name == "http.request";
    for (name, _) in all
        .iter()
        .filter(|(name, spec)| !elsewhere(name) && !spec.waits())
    {
        assert!(
            providers
                .iter()
                .any(|provider| provider.provider().capability == *name),
            "nobody fulfils {name}"
        );
    }
}
