//! One table of what templates refuse, with code and place.

use super::*;

fn refused(text: &str, blocks: Blocks) -> Vec<(String, String)> {
    underlined(compile_for(text, &env(), Sink::Document, blocks), text)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_mistake_has_its_code_and_its_place() {
    let mut wrong = Vec::new();
    for (text, code, place) in [
        // forms that do not exist
        ("a {{{x}}}", "PB116", "{{{"),
        ("a {{&x}}", "PB116", "{{&"),
        ("a {{~ {x} ~}}", "PB116", "{{~ {"),
        ("a {{> p}}", "PB116", "{{>"),
        ("{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", "PB116", "{{#*"),
        ("{{#> p}}x{{/p}}", "PB116", "{{#>"),
        ("{{* deco}}", "PB116", "{{*"),
        ("{{{{raw}}}}x{{{{/raw}}}}", "PB116", "{{{{"),
        ("{{log incident.ref}}", "PB116", "log"),
        ("{{lookup incident incident.ref}}", "PB116", "lookup"),
        ("{{t \"host.isolated\"}}", "PB116", "t"),
        ("{{default x=1}}", "PB116", "{{default x=1}}"),
        ("{{../incident.ref}}", "PB116", "../incident.ref"),
        ("{{#each rows}}{{../../../x}}{{/each}}", "PB116", "../../../x"),
        (
            "{{#each rows as |a b|}}{{/each}}",
            "PB116",
            "{{#each rows as |a b|}}",
        ),
        ("{{#nothing x}}{{/nothing}}", "PB116", "{{#nothing x}}"),
        ("{{#if flag}}x{{/each}}", "PB116", "{{/each}}"),
        ("x {{incident.ref", "PB116", "{{"),
        ("{{! no end", "PB116", "{{"),
        ("{{sortie-write incident.ref}}", "PB215", "sortie-write"),
        // names
        ("x {{incident.titel}}", "PB207", "titel"),
        ("x {{steps.block.pi}}", "PB204", "pi"),
        ("x {{steps.blok.ip}}", "PB205", "blok"),
        ("x {{verdit}}", "PB206", "verdit"),
        ("x {{secrets.fw}}", "PB402", "secrets.fw"),
        ("x {{@root.secrets}}", "PB402", "secrets"),
        ("x {{__proto__}}", "PB206", "__proto__"),
        ("x {{constructor}}", "PB206", "constructor"),
        ("x {{incident.__proto__}}", "PB207", "__proto__"),
        ("{{@index}}", "PB206", "@index"),
        ("{{#each rows}}{{@key}}{{/each}}", "PB206", "@key"),
        ("{{this}}", "PB206", "this"),
        (
            "{{#each steps.links.items}}{{verdit}}{{/each}}",
            "PB206",
            "verdit",
        ),
        (
            "{{#each steps.links.items}}{{this.verdit}}{{/each}}",
            "PB204",
            "verdit",
        ),
        (
            "{{#each rows as |incident|}}x{{/each}}",
            "PB222",
            "{{#each rows as |incident|}}",
        ),
        ("{{steps.links.verdict}}", "PB219", "verdict"),
        // presence
        ("x {{incident.summary}}", "PB213", "incident.summary"),
        ("x {{steps.block.ip}}", "PB213", "steps.block.ip"),
        ("{{#each rows}}{{path}}{{/each}}", "PB213", "path"),
        ("{{#each rows}}{{upper path}}{{/each}}", "PB213", "path"),
        (
            "{{#if incident.reporter}}x{{else}}{{incident.reporter.email}}{{/if}}",
            "PB213",
            "incident.reporter.email",
        ),
        (
            "{{#unless incident.reporter}}{{incident.reporter.email}}{{/unless}}",
            "PB213",
            "incident.reporter.email",
        ),
        (
            "{{#each rows}}{{#if inner}}{{#each tags}}{{this.inner}}{{/each}}{{/if}}{{/each}}",
            "PB214",
            "inner",
        ),
        // kinds
        ("x {{incident.tags}}", "PB220", "{{incident.tags}}"),
        ("x {{incident.mail}}", "PB220", "{{incident.mail}}"),
        (
            "x {{default incident.reporter incident.mail}}",
            "PB220",
            "{{default incident.reporter incident.mail}}",
        ),
        ("{{#each verdict}}x{{/each}}", "PB214", "{{#each verdict}}"),
        ("{{#with verdict}}x{{/with}}", "PB214", "{{#with verdict}}"),
        ("{{#if count}}x{{/if}}", "PB211", "{{#if count}}"),
        ("{{upper incident.tags}}", "PB215", "{{upper incident.tags}}"),
        ("{{uper verdict}}", "PB215", "uper"),
        ("{{join incident.title}}", "PB215", "{{join incident.title}}"),
        ("{{#if (eq verdict \"malicous\")}}x{{/if}}", "PB212", "malicous"),
        (
            "{{#if (gt verdict 3)}}x{{/if}}",
            "PB215",
            "{{#if (gt verdict 3)}}",
        ),
        ("{{#if (verdict)}}x{{/if}}", "PB215", "verdict"),
        (
            "{{default incident.tags [1,2]}}",
            "PB116",
            "{{default incident.tags [1,2]}}",
        ),
        (
            "{{default incident.summary null}}",
            "PB116",
            "{{default incident.summary null}}",
        ),
    ] {
        let found = refused(text, Blocks::Allowed);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(code, place)| (code.as_str(), place.as_str()))
            .collect();
        if found != [(code, place)] {
            wrong.push(format!(
                "{text}: {code} at `{place}` is expected, found {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn blocks_are_refused_outside_documents() {
    let found = refused("a {{#if flag}}x{{/if}}", Blocks::Refused);
    assert_eq!(found, [("PB117".to_owned(), "{{#if flag}}".to_owned())]);
}

#[test]
fn a_typo_gets_the_right_word() {
    let found = compile_for("{{incident.titel}}", &env(), Sink::Plain, Blocks::Refused).unwrap_err();
    assert_eq!(found[0].help, ["write `incident.title`"]);
    let found = compile_for(
        "{{#if (eq verdict \"malicous\")}}x{{/if}}",
        &env(),
        Sink::Plain,
        Blocks::Allowed,
    )
    .unwrap_err();
    assert_eq!(found[0].help, ["did you mean \"malicious\"?"]);
}

#[test]
fn several_mistakes_come_in_order_of_place() {
    let found = refused(
        "{{incident.titel}} {{incident.tags}} {{nothing}}",
        Blocks::Allowed,
    );
    let codes: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["PB207", "PB220", "PB206"]);
}

#[test]
fn places_survive_yaml_folding_and_quoting() {
    let yaml = "text: >-\n  first line\n  then {{incident.titel}} ends\n";
    let text = "first line then {{incident.titel}} ends";
    let source = Source::new("p.yaml", yaml);
    let found = Template::compile(
        &Snippet::new(&source, 6..yaml.len(), text),
        &env(),
        Sink::Plain,
        Blocks::Refused,
    )
    .unwrap_err();
    assert_eq!(&yaml[found[0].primary.place.clone()], "titel");
    let yaml = r#"text: "say \"{{incident.titel}}\" twice""#;
    let source = Source::new("p.yaml", yaml);
    let found = Template::compile(
        &Snippet::new(&source, 6..yaml.len(), "say \"{{incident.titel}}\" twice"),
        &env(),
        Sink::Plain,
        Blocks::Refused,
    )
    .unwrap_err();
    assert_eq!(&yaml[found[0].primary.place.clone()], "titel");
}
