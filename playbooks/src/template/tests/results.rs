//! What templates write.

use super::*;

fn written(text: &str) -> Result<String, Unresolved> {
    compiled(text, &env()).render(&Given(values()))
}

#[test]
fn values_become_text_for_people() {
    for (template, expected) in [
        ("{{incident.ref}} at {{entity.name}}", "PH-2026-00417 at Ville"),
        ("{{incident.[mail].[subject]}}", "Hello"),
        ("{{incident.severity}}, {{severity.low}}", "high, low"),
        ("{{span}}, {{duration span}}", "7 days, 7 days"),
        ("{{incident.detected_at}}", "2026-03-02 03:04 CET"),
        ("{{date incident.detected_at}}", "2026-03-02 03:04 CET"),
        (
            "{{percent nearest.score}} like {{nearest.value}}",
            "93 % like ville.example",
        ),
        (
            "{{upper verdict}} {{lower \"ABC\"}} {{trim \" x \"}}.",
            "MALICIOUS abc x.",
        ),
        (
            "{{join incident.tags}}; {{join incident.tags \"/\"}}",
            "a, b; a/b",
        ),
        ("{{len incident.tags}} {{len rows}}", "2 2"),
        ("{{json incident.raw}}", "{\"deep\":{\"a\":[1,2]}}"),
        (
            "{{defang \"https://evil.example/a\"}}",
            "hxxps://evil[.]example/a",
        ),
        ("{{link \"https://evil.example\"}}", "https://evil.example/"),
        (
            "{{hash}} {{hash \"D41D8CD98F00B204E9800998ECF8427E\"}}",
            "d41d8cd98f00b204e9800998ecf8427e d41d8cd98f00b204e9800998ecf8427e",
        ),
        ("{{count}} {{flag}}", "3 true"),
        ("\\{{not this}}", "{{not this}}"),
        ("{{! a note }}{{!-- {{another}} --}}x", "x"),
        ("{{open.text}}/{{open.n}}", "t/4"),
    ] {
        let mut env = env();
        env.add_proven(["open.text", "open.n"].map(str::to_owned));
        assert_eq!(
            compiled(template, &env).render(&Given(values())).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
}

#[test]
fn absence_is_written_only_where_somebody_decided_what_then() {
    assert_eq!(
        written("{{default steps.block.ip \"nothing\"}}").as_deref(),
        Ok("nothing")
    );
    assert_eq!(
        written("{{default steps.links.started_at \"never\"}}").as_deref(),
        Ok("never")
    );
    assert_eq!(
        written("{{#if incident.reporter}}by {{incident.reporter.email}}{{else}}nobody{{/if}}").as_deref(),
        Ok("nobody")
    );
    assert_eq!(
        written("{{#unless incident.reporter}}none{{else}}{{incident.reporter.email}}{{/unless}}").as_deref(),
        Ok("none")
    );
    assert_eq!(
        written("x {{steps.block.list}}"),
        Err(Unresolved::Absent {
            path: "steps.block.list".to_owned(),
            why: "steps.block.list".to_owned()
        })
    );
    // A promise that was not kept: the type says it is always there.
    assert!(matches!(
        written("{{#each steps.links.items}}{{item}}{{/each}}{{incident.mail.subject}}{{incident.pap}}"),
        Err(Unresolved::Absent { path, .. }) if path == "incident.pap"
    ));
}

#[test]
fn blocks_go_over_items_and_see_the_names_outside() {
    for (template, expected) in [
        (
            "{{#each rows}}{{@index}}:{{name}} {{default path \"no path\"}} {{at}} {{span}};{{/each}}",
            "0:one /bin/sh 2026-03-02 03:04 CET 1 hour 30 minutes;1:two no path 2026-07-02 04:04 CEST 7 days;",
        ),
        (
            "{{#each rows}}{{name}} of {{incident.ref}}{{#unless @last}}, {{/unless}}{{/each}}",
            "one of PH-2026-00417, two of PH-2026-00417",
        ),
        (
            "{{#each rows as |row|}}{{#each row.tags as |tag|}}{{row.name}}-{{tag}} {{/each}}{{/each}}",
            "one-x one-y ",
        ),
        ("{{#each rows}}{{#each tags}}{{this}}{{/each}}{{/each}}", "xy"),
        (
            "{{#each many}}{{#each this}}{{this}},{{/each}}{{/each}}",
            "1,2,3,",
        ),
        ("{{#each rows}}{{#if path}}{{path}}{{/if}}{{/each}}", "/bin/sh"),
        ("{{#each rows}}{{#if inner}}{{inner.deep}}{{/if}}{{/each}}", "d"),
        (
            "{{#each rows}}{{#if inner}}{{#with inner}}{{deep}} {{incident.ref}}{{/with}}{{/if}}{{/each}}",
            "d PH-2026-00417",
        ),
        (
            "{{#with incident.mail}}{{subject}} {{verdict}}{{/with}}",
            "Hello malicious",
        ),
        ("{{#with incident.mail as |m|}}{{m.subject}}{{/with}}", "Hello"),
        (
            "{{#each steps.siem.rows}}{{default user \"-\"}}/{{default host \"-\"}} {{entity.name}};{{/each}}",
            "u1/- Ville;-/h2 Ville;",
        ),
        (
            "{{#if (eq verdict \"malicious\")}}bad{{else if (eq verdict \"clean\")}}good{{/if}}",
            "bad",
        ),
        (
            "{{#if (and flag (gt count 2))}}yes{{/if}}{{#if (or flag flag)}}!{{/if}}{{#if (not flag)}}?{{/if}}",
            "yes!",
        ),
        (
            "- a\n{{#each rows}}\n- {{name}}\n{{/each}}\nend",
            "- a\n- one\n- two\nend",
        ),
    ] {
        assert_eq!(written(template).as_deref(), Ok(expected), "{template}");
    }
    let mut none = values();
    none["rows"] = json!([]);
    let template = compiled("{{#each rows}}{{name}}{{else}}none{{/each}}", &env());
    assert_eq!(template.render(&Given(none)).as_deref(), Ok("none"));
}

#[test]
fn reads_name_every_path_and_whether_absence_is_handled() {
    let template = compiled(
        "{{incident.ref}} {{default steps.block.ip \"-\"}} {{#if incident.reporter}}{{incident.reporter.email}}{{/if}}",
        &env(),
    );
    let mut reads: Vec<(String, bool)> = template
        .reads()
        .iter()
        .map(|read| (read.dotted(), read.guarded))
        .collect();
    reads.sort();
    assert_eq!(
        reads,
        [
            ("incident.ref".to_owned(), false),
            ("incident.reporter".to_owned(), true),
            ("incident.reporter.email".to_owned(), true),
            ("steps.block.ip".to_owned(), true),
        ]
    );
}

#[test]
fn each_sink_escapes_in_its_way() {
    let text = "a{{incident.title}}b";
    let mut given = values();
    given["incident"]["title"] = json!("<i>&\n\u{202e}x\u{7}");
    for (sink, expected) in [
        (Sink::Html, "a&lt;i&gt;&amp;\nxb"),
        (Sink::Plain, "a<i>& x b"),
        (Sink::Header, "a<i>& x b"),
        (Sink::Document, "a<i>&\nxb"),
        (Sink::Markdown, "a<i>&\nxb"),
        (Sink::Json, "a<i>&\n\u{202e}x\u{7}b"),
        (Sink::UrlPath, "a%3Ci%3E%26%0A%E2%80%AEx%07b"),
        (Sink::UrlQuery, "a<i>&\n\u{202e}x\u{7}b"),
    ] {
        let template = compile_for(text, &env(), sink, Blocks::Refused).unwrap();
        assert_eq!(
            template.render(&Given(given.clone())).as_deref(),
            Ok(expected),
            "{sink:?}"
        );
    }
}
