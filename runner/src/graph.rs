//! Pictures of a playbook: text for the terminal, SVG for pages and READMEs.
//!
//! Owns the layered layout. Order comes from the plan; nothing here decides who waits for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use playbooks::marking::EffectClass;
use playbooks::plan::{Node, Plan, Section, Step};

/// One drawn step.
struct Placed<'a> {
    step: &'a Step,
    layer: usize,
    needs: Vec<&'a str>,
}

/// Steps that a step waits for, directly or through lets.
fn direct_needs<'a>(plan: &'a Plan, step: &'a Step) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<&Node> = step.waits_for.keys().collect();
    while let Some(node) = open.pop() {
        match node {
            Node::Step(id) => {
                found.extend(
                    plan.steps
                        .get(id)
                        .filter(|other| other.section == step.section)
                        .map(|other| other.id.as_str()),
                );
            }
            Node::Let(name) => {
                if !seen.insert(name.as_str()) {
                    continue;
                }
                let reads = plan
                    .lets
                    .get(name)
                    .into_iter()
                    .flat_map(|one| one.expression.reads());
                for read in reads {
                    if let Some(id) = read.step() {
                        found.extend(
                            plan.steps
                                .get(id)
                                .filter(|other| other.section == step.section)
                                .map(|other| other.id.as_str()),
                        );
                    } else if let Some((other, _)) =
                        read.path.first().and_then(|name| plan.lets.get_key_value(name))
                    {
                        // A let read by a let: walk on through a node of the graph.
                        open.extend(
                            plan.graph
                                .node_weights()
                                .filter(|node| **node == Node::Let(other.clone())),
                        );
                    }
                }
            }
        }
    }
    found.remove(step.id.as_str());
    found
}

/// Without what follows from the rest: a waits for c only because it waits for b.
fn reduced<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeMap<&'a str, Vec<&'a str>> {
    fn reach<'a>(from: &'a str, needs: &BTreeMap<&'a str, BTreeSet<&'a str>>, into: &mut BTreeSet<&'a str>) {
        for next in needs.get(from).into_iter().flatten() {
            if into.insert(next) {
                reach(next, needs, into);
            }
        }
    }
    needs
        .iter()
        .map(|(id, direct)| {
            let mut implied = BTreeSet::new();
            for one in direct {
                reach(one, needs, &mut implied);
            }
            (
                *id,
                direct
                    .iter()
                    .filter(|one| !implied.contains(*one))
                    .copied()
                    .collect(),
            )
        })
        .collect()
}

fn place<'a>(plan: &'a Plan, section: Section) -> Vec<Placed<'a>> {
    let steps: Vec<&Step> = plan
        .steps
        .values()
        .filter(|step| step.section == section)
        .collect();
    let needs: BTreeMap<&str, BTreeSet<&str>> = steps
        .iter()
        .map(|step| (step.id.as_str(), direct_needs(plan, step)))
        .collect();
    let mut layers: BTreeMap<&str, usize> = BTreeMap::new();
    // The graph is acyclic, so as many rounds as steps settle every layer.
    for _ in 0..steps.len() {
        for step in &steps {
            let above = needs.get(step.id.as_str()).into_iter().flatten();
            let layer = above
                .map(|one| layers.get(one).copied().unwrap_or(0) + 1)
                .max()
                .unwrap_or(0);
            layers.insert(&step.id, layer);
        }
    }
    let mut short = reduced(&needs);
    let mut placed: Vec<Placed<'_>> = steps
        .into_iter()
        .map(|step| Placed {
            layer: layers.get(step.id.as_str()).copied().unwrap_or(0),
            needs: short.remove(step.id.as_str()).unwrap_or_default(),
            step,
        })
        .collect();
    placed.sort_by_key(|one| one.layer);
    placed
}

/// One line: what it is, its condition, and whom it waits for.
fn describe(step: &Step) -> String {
    let mut text = format!("{}  {}", step.id, step.action.name);
    if let Some(each) = &step.for_each {
        let _ = write!(
            text,
            "  for each {} in {}",
            each.variable,
            each.list.source().trim()
        );
    }
    if let Some(condition) = &step.condition {
        let _ = write!(text, "  if {}", condition.source().trim());
    }
    text
}

/// The playbook as text: one block a layer, top to bottom; effects are marked `!`.
pub fn ascii(plan: &Plan) -> String {
    let mut text = format!("{} v{}  {}\n", plan.name, plan.version, plan.id);
    for (section, title) in [
        (Section::Steps, ""),
        (Section::OnFailure, "on failure"),
        (Section::Finally, "finally"),
    ] {
        let placed = place(plan, section);
        if placed.is_empty() {
            continue;
        }
        if !title.is_empty() {
            let _ = writeln!(text, "\n {title}");
        }
        let mut layer = 0;
        for (index, one) in placed.iter().enumerate() {
            if index > 0 && one.layer != layer {
                text.push_str("    |\n");
            }
            layer = one.layer;
            let mark = if one.step.action.effect > EffectClass::Read {
                '!'
            } else {
                'o'
            };
            let _ = write!(text, "  {mark} {}", describe(one.step));
            if !one.needs.is_empty() {
                let _ = write!(text, "   <- {}", one.needs.join(", "));
            }
            text.push('\n');
        }
    }
    text.push_str("\n o read   ! effect   <- waits for\n");
    text
}

const BOX_WIDTH: usize = 190;
const BOX_HEIGHT: usize = 46;
const GAP_X: usize = 26;
const GAP_Y: usize = 52;
const MARGIN: usize = 20;
const HEADING: usize = 34;

/// The playbook as a self-contained SVG: no script, no fonts, readable in light and dark.
pub fn svg(plan: &Plan) -> String {
    let mut body = String::new();
    let mut top = MARGIN + HEADING;
    let mut width = 480;
    let escaped_name = escape(&plan.name);
    for (section, title) in [
        (Section::Steps, ""),
        (Section::OnFailure, "on failure"),
        (Section::Finally, "finally"),
    ] {
        let placed = place(plan, section);
        if placed.is_empty() {
            continue;
        }
        if !title.is_empty() {
            let _ = writeln!(
                body,
                r#"<text class="s" x="{MARGIN}" y="{}">{title}</text>"#,
                top + 14
            );
            top += 24;
        }
        let (drawn, used_width, used_height) = draw_section(&placed, top);
        body.push_str(&drawn);
        width = width.max(used_width);
        top += used_height + GAP_Y / 2;
    }
    let height = top + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"Graph of playbook {escaped_name}\">\n\
<style>\n\
text{{font:13px system-ui,sans-serif;fill:#1b2430}}.t{{font-size:17px;font-weight:600}}.s,.a{{font-size:11px;fill:#5a6675}}\n\
rect{{fill:#f4f7fa;stroke:#8796a8;rx:8}}.e rect{{fill:#fff3e0;stroke:#c77700;stroke-width:2}}path{{fill:none;stroke:#8796a8;stroke-width:1.5}}.c{{stroke-dasharray:5 3}}\n\
@media (prefers-color-scheme:dark){{text{{fill:#e6edf3}}.s,.a{{fill:#9aa7b4}}rect{{fill:#1c2530;stroke:#6b7a8c}}.e rect{{fill:#3a2a10;stroke:#e09a2b}}path{{stroke:#6b7a8c}}}}\n\
</style>\n\
<defs><marker id=\"h\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" style=\"fill:#8796a8;stroke:none\"/></marker></defs>\n\
<text class=\"t\" x=\"{MARGIN}\" y=\"{}\">{escaped_name} v{}</text>\n{body}</svg>\n",
        MARGIN + 14,
        plan.version,
    )
}

fn draw_section(placed: &[Placed<'_>], top: usize) -> (String, usize, usize) {
    let mut per_layer: BTreeMap<usize, usize> = BTreeMap::new();
    let mut at: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in placed {
        let column = per_layer.entry(one.layer).or_default();
        at.insert(
            &one.step.id,
            (
                MARGIN + *column * (BOX_WIDTH + GAP_X),
                top + one.layer * (BOX_HEIGHT + GAP_Y),
            ),
        );
        *column += 1;
    }
    let mut drawn = String::new();
    for one in placed {
        for need in &one.needs {
            let (Some((x1, y1)), Some((x2, y2))) = (at.get(need), at.get(one.step.id.as_str())) else {
                continue;
            };
            let (x1, y1) = (x1 + BOX_WIDTH / 2, y1 + BOX_HEIGHT);
            let (x2, y2) = (x2 + BOX_WIDTH / 2, *y2);
            let middle = y1 + GAP_Y / 2;
            let _ = writeln!(
                drawn,
                r#"<path marker-end="url(#h)" d="M{x1} {y1}C{x1} {middle} {x2} {} {x2} {y2}"/>"#,
                y2.saturating_sub(GAP_Y / 2)
            );
        }
    }
    for one in placed {
        let Some((x, y)) = at.get(one.step.id.as_str()) else {
            continue;
        };
        let effect = one.step.action.effect > EffectClass::Record;
        let class = if effect { " class=\"e\"" } else { "" };
        let dashed = if one.step.condition.is_some() {
            " class=\"c\""
        } else {
            ""
        };
        let each = if one.step.for_each.is_some() {
            " (each)"
        } else {
            ""
        };
        let _ = writeln!(
            drawn,
            "<g{class}><title>{}</title><rect{dashed} x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\"/>\
<text x=\"{}\" y=\"{}\">{}</text><text class=\"a\" x=\"{}\" y=\"{}\">{}{each}</text></g>",
            escape(&describe(one.step)),
            x + 12,
            y + 20,
            escape(&one.step.id),
            x + 12,
            y + 36,
            escape(&one.step.action.name),
        );
    }
    let columns = per_layer.values().copied().max().unwrap_or(1);
    let layers = per_layer.keys().copied().max().unwrap_or(0) + 1;
    (
        drawn,
        2 * MARGIN + columns * (BOX_WIDTH + GAP_X),
        layers * (BOX_HEIGHT + GAP_Y),
    )
}

/// Text as XML character data and attribute values.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push(' '),
            character if character.is_control() => safe.push('\u{fffd}'),
            character => safe.push(character),
        }
    }
    safe
}
