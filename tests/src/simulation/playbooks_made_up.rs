//! Playbooks made up from a number.
//!
//! Owns the generator: graphs of a few steps with every kind of effect, lists, conditions,
//! approvals, retries, failures that are handled and failures that are not.

use std::fmt::Write as _;

use super::random::Random;

/// What a step may do: the capability, its arguments, an output that others may read.
const USES: [(&str, &str, &str); 9] = [
    ("enrich.ip", "ip: 203.0.113.{n}", "verdict"),
    ("enrich.domain", "domain: d{n}.example", "verdict"),
    ("ticket.open", "title: \"{said}\", severity: high", "id"),
    ("ticket.update", "id: T-{n}, note: \"{said}\"", "id"),
    ("notify.team", "channel: duty, text: \"{said}\"", "id"),
    (
        "block.ip",
        "ip: 203.0.113.{n}, direction: inbound, reason: \"{said}\", for: 2h",
        "ip",
    ),
    (
        "block.domain",
        "domain: d{n}.example, reason: \"{said}\", for: 90m",
        "domain",
    ),
    ("incident.update", "note: \"{said}\"", "ref"),
    ("extract.observables", "text: \"{said} 192.0.2.{n}\"", "ips"),
];

#[derive(Debug)]
struct Sketch {
    uses: usize,
    /// Earlier steps that it reads.
    reads: Vec<usize>,
    /// Earlier steps that it waits for.
    after: Vec<usize>,
    each: bool,
    asks: bool,
}

/// The text of the playbook with this number.
pub fn playbook(number: u64) -> String {
    let mut random = Random::of(number, "playbook");
    let count = usize::try_from(random.between(2, 7)).unwrap_or(2);
    let mut sketches: Vec<Sketch> = Vec::new();
    for at in 0..count {
        let uses = random.place(USES.len());
        let among = |random: &mut Random, percent| -> Vec<usize> {
            (0..at).filter(|_| random.percent(percent)).collect()
        };
        let reads = among(&mut random, 30);
        let mut after = among(&mut random, 20);
        // A notification that reads what may be absent could be lost; the checker refuses it.
        let notifies = USES
            .get(uses)
            .is_some_and(|(action, ..)| action.starts_with("notify."));
        let reads = if notifies {
            after.extend(
                reads
                    .into_iter()
                    .filter(|one| !after.contains(one))
                    .collect::<Vec<_>>(),
            );
            Vec::new()
        } else {
            reads
        };
        sketches.push(Sketch {
            uses,
            after: after.into_iter().filter(|one| !reads.contains(one)).collect(),
            reads,
            each: random.percent(25),
            asks: (2..=6).contains(&uses) && random.percent(30),
        });
    }
    let mut text = format!(
        "id: generated-{number}\nname: Generated {number}\nversion: 1\ndescription: Made up from a number.\n\
         owner: nobody\ntrigger: {{incident: [malware]}}\nlimits: {{tlp: red, pap: green, time: 2h}}\n\
         may: [notify, contain]\nsteps:\n"
    );
    for at in 0..count {
        step(&mut text, &sketches, at, &mut random);
    }
    text.push_str(
        "on_failure:\n  page:\n    name: Page\n    uses: notify.team\n    with: {channel: duty, text: \"{{run.error}}\"}\n\
         finally:\n  record:\n    name: Record\n    uses: incident.update\n    with: {note: \"{{run.summary}}\"}\n",
    );
    text
}

fn step(text: &mut String, sketches: &[Sketch], at: usize, random: &mut Random) {
    let Some(sketch) = sketches.get(at) else {
        return;
    };
    let Some((action, arguments, _)) = USES.get(sketch.uses) else {
        return;
    };
    let mut said = format!("s{at}");
    for earlier in &sketch.reads {
        let _infallible = write!(said, " {}", read_of(sketches, *earlier));
    }
    let _infallible = write!(text, "  s{at}:\n    name: S{at}\n    uses: {action}\n");
    if !sketch.after.is_empty() {
        let after: Vec<String> = sketch.after.iter().map(|one| format!("s{one}")).collect();
        let _infallible = writeln!(text, "    after: [{}]", after.join(", "));
    }
    if at > 0 && random.percent(20) && !action.starts_with("notify.") {
        let earlier = at - 1;
        let _infallible = writeln!(text, "    if: steps.s{earlier}.status == 'succeeded'");
    } else if random.percent(10) {
        text.push_str("    if: incident.severity == severity.low\n");
    }
    if sketch.each {
        let _infallible = writeln!(
            text,
            "    for_each: thing in incident.observables\n    max_parallel: {}",
            random.between(1, 3)
        );
        said.push_str(" {{thing.value}}");
    }
    if random.percent(50) {
        let _infallible = writeln!(
            text,
            "    retry: {{attempts: {}, backoff: 1s..30s, errors: [throttled, timeout, server_error, unreachable]}}",
            random.between(1, 4)
        );
    }
    if sketch.asks {
        let silence = ["skip", "fail", "escalate"];
        let silence = silence
            .get(random.place(silence.len()))
            .copied()
            .unwrap_or("skip");
        let _infallible = writeln!(
            text,
            "    approval: {{who: [duty], count: {}, within: 10m, on_timeout: {silence}}}",
            random.between(1, 2)
        );
    }
    if random.percent(40) {
        text.push_str("    on_failure: continue\n");
    }
    if action.starts_with("block.") {
        text.push_str("    if_refused: continue\n");
    }
    let arguments = arguments
        .replace("{n}", &(at + 1).to_string())
        .replace("{said}", &said);
    let _infallible = writeln!(text, "    with: {{{arguments}}}");
}

/// What a later step may say about an earlier one.
fn read_of(sketches: &[Sketch], earlier: usize) -> String {
    let Some(sketch) = sketches.get(earlier) else {
        return String::new();
    };
    let output = USES.get(sketch.uses).map_or("id", |(_, _, output)| output);
    if sketch.each {
        format!("{{{{len steps.s{earlier}.items}}}}")
    } else if output == "ips" {
        format!("{{{{len steps.s{earlier}.ips}}}}")
    } else {
        format!("{{{{default steps.s{earlier}.{output} '-'}}}}")
    }
}
