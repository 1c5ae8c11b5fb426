//! Pictures of a playbook: text for the terminal, SVG for pages and READMEs.
//!
//! Owns the layered layout. Order comes from the plan; nothing here decides who waits for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use playbooks::marking::EffectClass;
use playbooks::plan::{Node, Plan, Section, Step};

#[cfg(test)]
mod tests;

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

fn place(plan: &Plan, section: Section) -> Vec<Placed<'_>> {
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

const BOX_WIDTH: usize = 272;
const BOX_HEIGHT: usize = 66;
const GAP_X: usize = 24;
const GAP_Y: usize = 46;
const MARGIN: usize = 20;
const HEADING: usize = 34;
const SECTION_TITLE: usize = 24;
const LEGEND: usize = 30;
/// Characters that fit into a box, by the size of their line.
const NAME_CHARACTERS: usize = 36;
const SMALL_CHARACTERS: usize = 41;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1b2430}.t{font-size:17px;font-weight:600}\
.i{font-weight:600}.n{font-size:12px}.s,.a{font-size:11px;fill:#5a6675}rect{fill:#f4f7fa;stroke:#8796a8}\
.e rect{fill:#fff3e0;stroke:#c77700;stroke-width:2}path{fill:none;stroke:#8796a8;stroke-width:1.5}\
.c{stroke-dasharray:5 3}.h{fill:#8796a8;stroke:none}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.s,.a{fill:#9aa7b4}rect{fill:#1c2530;stroke:#6b7a8c}\
.e rect{fill:#3a2a10;stroke:#e09a2b}path{stroke:#6b7a8c}.h{fill:#6b7a8c}}";

/// The playbook as a self-contained SVG: no script, no fonts, readable in light and dark.
pub fn svg(plan: &Plan) -> String {
    let sections: Vec<(&str, Vec<Placed<'_>>)> = [
        (Section::Steps, ""),
        (Section::OnFailure, "when the run fails"),
        (Section::Finally, "at the end, always"),
    ]
    .into_iter()
    .map(|(section, title)| (title, place(plan, section)))
    .filter(|(_, placed)| !placed.is_empty())
    .collect();
    let columns = sections
        .iter()
        .map(|(_, placed)| widest(placed))
        .max()
        .unwrap_or(1);
    let width = 2 * MARGIN + row_width(columns.max(2));
    let mut body = String::new();
    let mut top = MARGIN + HEADING;
    for (title, placed) in &sections {
        if !title.is_empty() {
            let _ = writeln!(
                body,
                r#"<text class="s" x="{}" y="{}" text-anchor="middle">{title}</text>"#,
                width / 2,
                top + 8
            );
            top += SECTION_TITLE;
        }
        let at = positions(placed, top, width);
        draw_edges(placed, &at, &mut body);
        draw_boxes(placed, &at, &mut body);
        let layers = placed.iter().map(|one| one.layer).max().unwrap_or(0) + 1;
        top += layers * (BOX_HEIGHT + GAP_Y) - GAP_Y / 2;
    }
    let _ = writeln!(
        body,
        "<text class=\"s\" x=\"{MARGIN}\" y=\"{}\">orange: acts on the world or tells somebody &#183; dashed: only if &#183; lines: waits for</text>",
        top + 6
    );
    let height = top + LEGEND;
    let name = escape(&plan.name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"Graph of playbook {name}\">\n\
<style>{STYLE}</style>\n\
<defs><marker id=\"h\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"h\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
<text class=\"t\" x=\"{MARGIN}\" y=\"{}\">{name} v{}</text>\n{body}</svg>\n",
        MARGIN + 14,
        plan.version,
    )
}

/// Boxes in the widest layer.
fn widest(placed: &[Placed<'_>]) -> usize {
    let mut per_layer: BTreeMap<usize, usize> = BTreeMap::new();
    for one in placed {
        *per_layer.entry(one.layer).or_default() += 1;
    }
    per_layer.values().copied().max().unwrap_or(1)
}

fn row_width(columns: usize) -> usize {
    (columns * (BOX_WIDTH + GAP_X)).saturating_sub(GAP_X)
}

/// The upper left corner of every box, each layer in the middle of the picture.
fn positions<'a>(placed: &[Placed<'a>], top: usize, width: usize) -> BTreeMap<&'a str, (usize, usize)> {
    let mut layers: BTreeMap<usize, Vec<&'a str>> = BTreeMap::new();
    for one in placed {
        layers.entry(one.layer).or_default().push(&one.step.id);
    }
    let mut at = BTreeMap::new();
    for (layer, ids) in layers {
        let left = width.saturating_sub(row_width(ids.len())) / 2;
        for (column, id) in ids.into_iter().enumerate() {
            at.insert(
                id,
                (
                    left + column * (BOX_WIDTH + GAP_X),
                    top + layer * (BOX_HEIGHT + GAP_Y),
                ),
            );
        }
    }
    at
}

/// Lines from the middle below one box to the middle above another. Steps that wait for the same
/// several steps share one junction, so that many to many stays readable.
fn draw_edges(placed: &[Placed<'_>], at: &BTreeMap<&str, (usize, usize)>, body: &mut String) {
    let below = |id: &str| at.get(id).map(|(x, y)| (x + BOX_WIDTH / 2, y + BOX_HEIGHT));
    let above = |id: &str| at.get(id).map(|(x, y)| (x + BOX_WIDTH / 2, *y));
    let mut groups: BTreeMap<(usize, &[&str]), Vec<&str>> = BTreeMap::new();
    for one in placed {
        groups
            .entry((one.layer, &one.needs))
            .or_default()
            .push(&one.step.id);
    }
    for ((_, needs), steps) in groups {
        let from: Vec<(usize, usize)> = needs.iter().filter_map(|id| below(id)).collect();
        let to: Vec<(usize, usize)> = steps.iter().filter_map(|id| above(id)).collect();
        let (Some(lowest), Some(first)) = (from.iter().map(|(_, y)| *y).max(), to.first()) else {
            continue;
        };
        if from.len() > 1 && to.len() > 1 {
            let ends = || from.iter().chain(&to).map(|(x, _)| *x);
            let middle = usize::midpoint(ends().min().unwrap_or(0), ends().max().unwrap_or(0));
            let junction = (middle, usize::midpoint(lowest, first.1));
            for start in &from {
                line(body, *start, junction, false);
            }
            for end in &to {
                line(body, junction, *end, true);
            }
            let _ = writeln!(
                body,
                r#"<circle class="h" cx="{}" cy="{}" r="4"/>"#,
                junction.0, junction.1
            );
        } else {
            for start in &from {
                for end in &to {
                    line(body, *start, *end, true);
                }
            }
        }
    }
}

fn line(body: &mut String, (x1, y1): (usize, usize), (x2, y2): (usize, usize), arrow: bool) {
    let bend = (y2.saturating_sub(y1) / 2).min(GAP_Y / 2);
    let marker = if arrow { r#" marker-end="url(#h)""# } else { "" };
    let _ = writeln!(
        body,
        r#"<path{marker} d="M{x1} {y1}C{x1} {} {x2} {} {x2} {y2}"/>"#,
        y1 + bend,
        y2.saturating_sub(bend)
    );
}

fn draw_boxes(placed: &[Placed<'_>], at: &BTreeMap<&str, (usize, usize)>, body: &mut String) {
    for one in placed {
        let step = one.step;
        let Some((x, y)) = at.get(step.id.as_str()) else {
            continue;
        };
        let class = if step.action.effect > EffectClass::Record {
            " class=\"e\""
        } else {
            ""
        };
        let dashed = if step.condition.is_some() {
            " class=\"c\""
        } else {
            ""
        };
        let each = if step.for_each.is_some() { ", each" } else { "" };
        let condition = step.condition.as_ref().map_or_else(String::new, |condition| {
            format!("if {}", condition.source().trim())
        });
        let text = x + 12;
        let _ = writeln!(
            body,
            "<g{class}><title>{}</title><rect{dashed} rx=\"8\" x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\"/>\
<text x=\"{text}\" y=\"{}\"><tspan class=\"i\">{}</tspan><tspan class=\"a\" dx=\"8\">{}{each}</tspan></text>\
<text class=\"n\" x=\"{text}\" y=\"{}\">{}</text><text class=\"a\" x=\"{text}\" y=\"{}\">{}</text></g>",
            escape(&describe(step)),
            y + 20,
            escape(&step.id),
            escape(&step.action.name),
            y + 38,
            escape(&shortened(step.name.source(), NAME_CHARACTERS)),
            y + 55,
            escape(&shortened(&condition, SMALL_CHARACTERS)),
        );
    }
}

fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(characters.saturating_sub(1)).collect();
    short.push('…');
    short
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
