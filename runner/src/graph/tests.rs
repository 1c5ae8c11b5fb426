//! Pictures of the example playbooks, and of a hostile one.

use std::path::PathBuf;

use playbooks::plan::Plan;

use super::{ascii, svg};

fn plan(path: PathBuf) -> Plan {
    let catalogue = crate::app::catalogue().unwrap();
    let mut loaded = crate::library::load(&[path], &catalogue, None).unwrap();
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    loaded.compiled.pop().unwrap().plan
}

fn example(name: &str) -> Plan {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    plan(examples.join(name).join(format!("{name}.yaml")))
}

#[test]
fn every_step_is_drawn_once_and_many_to_many_goes_through_one_junction() {
    for name in ["phishing-report", "ids-triage"] {
        let plan = example(name);
        let (picture, text) = (svg(&plan), ascii(&plan));
        assert_eq!(picture.matches("<rect").count(), plan.steps.len(), "{name}");
        for id in plan.steps.keys() {
            assert!(picture.contains(&format!(">{id}</tspan>")), "{name}: {id}");
            assert!(text.contains(&format!(" {id}  ")), "{name}: {id}\n{text}");
        }
    }
    // Three look-ups lead to three steps: six lines through a point instead of nine across.
    let picture = svg(&example("phishing-report"));
    assert_eq!(picture.matches("<circle").count(), 1);
}

#[test]
fn the_text_of_an_author_is_no_markup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let text = "id: p\nname: \"a</title><script>alert(1)</script>\"\nversion: 1\ndescription: d\nowner: o\ntrigger: {manual: true}\nsteps:\n  look:\n    name: \"<b>&\"\n    uses: enrich.ip\n    with: {ip: 192.0.2.1}\n";
    std::fs::write(&path, text).unwrap();
    let picture = svg(&plan(path));
    assert!(
        !picture.contains("<script") && !picture.contains("<b>"),
        "{picture}"
    );
    assert!(picture.contains("&lt;b&gt;&amp;"), "{picture}");
}
