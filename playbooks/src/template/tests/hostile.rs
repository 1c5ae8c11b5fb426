//! Hostile templates are refused before they are rendered, hostile data is only ever text.

use proptest::prelude::*;

use super::*;

/// Runs in a thread with the stack of a worker, 2 MiB.
fn in_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(work)
        .expect("a thread starts")
        .join()
        .expect("the thread lives");
}

#[test]
fn deep_and_large_templates_are_refused_and_the_process_lives() {
    in_small_stack(|| {
        let nested_ifs = "{{#if flag}}".repeat(500) + &"{{/if}}".repeat(500);
        let nested_calls = format!("{{{{not {}flag{}}}}}", "(not ".repeat(500), ")".repeat(500));
        let nested_lists = format!("{{{{len {}{}}}}}", "[".repeat(4_000), "]".repeat(4_000));
        let else_chain = "{{#if flag}}".to_owned() + &"{{else if flag}}".repeat(1_800) + "{{/if}}";
        for text in [
            nested_ifs,
            nested_calls,
            nested_lists,
            else_chain,
            "{{#each rows}}".repeat(17) + &"{{/each}}".repeat(17),
            "(".repeat(30_000),
            "{{".repeat(10_000),
            "{{(".repeat(9_000),
            "{{#if".repeat(5_000),
            "{{a.b".to_owned() + &".b".repeat(10_000) + "}}",
            "x".repeat(TEMPLATE_BYTES_MAX + 1),
            "{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}".to_owned(),
        ] {
            let found = compile_for(&text, &env(), Sink::Document, Blocks::Allowed);
            let plain = !text.contains("{{");
            assert_eq!(
                found.is_ok(),
                plain && text.len() <= TEMPLATE_BYTES_MAX,
                "{}",
                &text[..40]
            );
        }
    });
}

#[test]
fn limits_hold_one_below_at_and_one_above() {
    let at = |size: usize| compile_for(&"x".repeat(size), &env(), Sink::Document, Blocks::Allowed).is_ok();
    assert!(at(TEMPLATE_BYTES_MAX - 1) && at(TEMPLATE_BYTES_MAX) && !at(TEMPLATE_BYTES_MAX + 1));
    let nested = |depth: usize| {
        let text = "{{#if flag}}".repeat(depth) + "x" + &"{{/if}}".repeat(depth);
        compile_for(&text, &env(), Sink::Document, Blocks::Allowed).is_ok()
    };
    assert!(nested(TEMPLATE_DEPTH_MAX - 1) && nested(TEMPLATE_DEPTH_MAX) && !nested(TEMPLATE_DEPTH_MAX + 1));
    let each = |items: usize| {
        let mut given = values();
        given["many"] = json!(vec![Vec::<i64>::new(); items]);
        compiled("{{#each many}}x{{/each}}", &env()).render(&Given(given))
    };
    assert_eq!(
        each(EACH_ITEMS_MAX - 1).map(|text| text.len()),
        Ok(EACH_ITEMS_MAX - 1)
    );
    assert_eq!(each(EACH_ITEMS_MAX).map(|text| text.len()), Ok(EACH_ITEMS_MAX));
    assert!(matches!(each(EACH_ITEMS_MAX + 1), Err(Unresolved::Failed(why)) if why.contains("1001")));
    let output = |bytes: usize| {
        let mut given = values();
        given["verdict"] = json!("x".repeat(bytes));
        compiled("{{verdict}}", &env()).render(&Given(given))
    };
    assert!(output(OUTPUT_BYTES_MAX - 1).is_ok() && output(OUTPUT_BYTES_MAX).is_ok());
    assert!(matches!(output(OUTPUT_BYTES_MAX + 1), Err(Unresolved::Failed(_))));
}

#[test]
fn nested_loops_over_large_lists_end_early() {
    let mut given = values();
    given["many"] = json!(vec![vec![1; 1_000]; 1_000]);
    let template = compiled("{{#each many}}{{#each this}}{{this}}{{/each}}{{/each}}", &env());
    assert!(
        matches!(template.render(&Given(given.clone())), Err(Unresolved::Failed(why)) if why.contains("10000"))
    );
    given["verdict"] = json!("x".repeat(1024 * 1024));
    let template = compiled("{{#each many}}{{verdict}}{{/each}}", &env());
    assert!(matches!(
        template.render(&Given(given)),
        Err(Unresolved::Failed(_))
    ));
}

#[test]
fn functions_over_large_values_cost_a_bounded_sum() {
    let mut given = values();
    given["incident"]["raw"] = json!({"text": "x".repeat(1024 * 1024)});
    given["verdict"] = json!("x".repeat(1024 * 1024));
    given["many"] = json!(vec![Vec::<i64>::new(); 1_000]);
    for call in [
        "{{len (json incident.raw)}}",
        "{{#if (eq (upper verdict) \"x\")}}{{/if}}",
    ] {
        let looped = compiled(&format!("{{{{#each many}}}}{call}{{{{/each}}}}"), &env());
        assert!(
            matches!(looped.render(&Given(given.clone())), Err(Unresolved::Failed(why)) if why.contains("bytes"))
        );
        assert!(compiled(call, &env()).render(&Given(given.clone())).is_ok());
        assert!(
            compiled(&call.repeat(400), &env())
                .render(&Given(given.clone()))
                .is_err()
        );
    }
}

#[test]
fn open_data_of_another_kind_fails_instead_of_printing_a_placeholder() {
    let mut env = env();
    env.add_proven(["open.list".to_owned(), "open.n".to_owned()]);
    for text in [
        "{{open.list}}",
        "{{default open.list \"x\"}}",
        "{{upper open.n}}",
        "{{#each open.n}}x{{/each}}",
    ] {
        let found = compiled(text, &env).render(&Given(values()));
        assert!(matches!(found, Err(Unresolved::Failed(_))), "{text}: {found:?}");
    }
    assert_eq!(
        compiled("{{json open.list}}", &env)
            .render(&Given(values()))
            .as_deref(),
        Ok("[1]")
    );
}

#[test]
fn known_payloads_appear_literally() {
    for payload in [
        "{{secrets.fw}}",
        "{{#each this}}{{this}}{{/each}}",
        "${7*7}",
        "${{ 7*7 }}",
        "<%= 7*7 %>",
        "#{7*7}",
        "{{{x}}}",
        "\\{{x}}",
        "{{!-- x --}}",
        "{{log 'x'}}",
        "]]>",
        "%s%n",
    ] {
        assert_literal(payload);
    }
}

/// A value is text in the output, in a loop, behind a function and when rendered once more as a
/// value.
fn assert_literal(payload: &str) {
    let mut given = values();
    given["incident"]["title"] = json!(payload);
    given["many"] = json!([]);
    given["incident"]["tags"] = json!([payload]);
    let template = compile_for(
        "{{incident.title}}|{{#each incident.tags}}{{this}}{{/each}}|{{join incident.tags}}|{{default incident.title \"x\"}}",
        &env(),
        Sink::Json,
        Blocks::Allowed,
    )
    .unwrap();
    let once = template.render(&Given(given.clone())).unwrap();
    assert_eq!(once, format!("{payload}|{payload}|{payload}|{payload}"));
    given["incident"]["title"] = json!(once);
    let again = compile_for("{{incident.title}}", &env(), Sink::Json, Blocks::Refused).unwrap();
    assert_eq!(again.render(&Given(given)).unwrap(), once);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_payload_appears_literally(payload in r"(\{\{|\}\}|\$\{|#\{|<%|[a-z0-9./#>&*!'()\\ ]|\PC){0,40}") {
        assert_literal(&payload);
    }

    #[test]
    fn any_text_compiles_or_is_refused_in_place(
        text in r"(\{\{|\}\}|\{|\}|#if |#each |/if|/each|else|this|flag|rows|incident|\.|[a-z\\~!&>*@(|)\[\]#=]|'|\PC| ){0,60}"
    ) {
        if let Err(found) = compile_for(&text, &env(), Sink::Document, Blocks::Allowed) {
            prop_assert!(!found.is_empty());
            for diagnostic in found {
                prop_assert!(text.get(diagnostic.primary.place.clone()).is_some(), "{diagnostic:?}");
            }
        }
    }
}
