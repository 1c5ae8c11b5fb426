//! From parser events to the tree. Iterative: depth costs memory, never stack.

use std::collections::HashSet;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::diagnostic::{Diagnostic, Place, Source};

use super::scalar::{self, Plain};
use super::{DEPTH_MAX, Data, FINDINGS_MAX, Field, NODES_MAX, Node, Style, traps};

/// Builds the tree of a source that has passed the checks of size and characters.
pub(super) fn build(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    let mut builder = Builder {
        source,
        open: Vec::new(),
        root: None,
        nodes: 0,
        documents: 0,
        findings: Vec::new(),
    };
    let mut parser = Parser::new_from_str_with_options(&source.text, parser_options());
    builder.drain(&mut parser);
    let mut findings = builder.findings;
    if findings.is_empty() {
        return Ok(builder.root.unwrap_or(Node {
            place: 0..0,
            data: Data::Null,
        }));
    }
    findings.sort_by_key(|finding| finding.primary.place.start);
    findings.truncate(FINDINGS_MAX);
    Err(findings)
}

fn parser_options() -> Options {
    serde_saphyr::granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX * 2,
    }
}

/// A collection that has begun and not ended.
struct Open {
    start: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        fields: Vec<Field>,
        seen: HashSet<String>,
        key: Option<(String, Place)>,
    },
}

struct Builder<'a> {
    source: &'a Source,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
    findings: Vec<Diagnostic>,
}

/// Reading stops: the rest would be misread.
struct Stop;

impl Builder<'_> {
    fn drain<'input>(&mut self, parser: &mut Parser<'input, StrInput<'input>>) {
        while let Some(next) = parser.next_event() {
            match next {
                Ok((event, span)) => {
                    if self.findings.len() >= FINDINGS_MAX || self.event(event, &span).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let offset = error.marker().byte_offset().unwrap_or(0);
                    let finding = traps::explain(self.source, offset, error.kind());
                    self.findings.push(finding);
                    return;
                }
            }
        }
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Stop> {
        let place = self.place(span);
        match event {
            Event::DocumentStart(..) => self.document(place),
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(self.alias(place)),
            Event::Scalar(text, style, anchor, tag) => {
                self.plain_data(&place, span, anchor, tag.as_deref())?;
                self.node(&place)?;
                self.scalar(&text, style, place);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.plain_data(&place, span, anchor, tag.as_deref())?;
                self.begin(&place, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.plain_data(&place, span, anchor, tag.as_deref())?;
                self.begin(
                    &place,
                    Content::Map {
                        fields: Vec::new(),
                        seen: HashSet::new(),
                        key: None,
                    },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(&place);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn place(&self, span: &Span) -> Place {
        let range = span.byte_range().unwrap_or(0..0);
        let text = self.source.text.get(range.clone()).unwrap_or("");
        let end = range.start + text.trim_end().len();
        range.start..end
    }

    fn document(&mut self, place: Place) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        self.findings.push(
            Diagnostic::error("PB102", self.source, place, "a file holds one document")
                .label("a second one starts here")
                .help("put it into a file of its own"),
        );
        Err(Stop)
    }

    fn alias(&mut self, place: Place) -> Stop {
        let finding = traps::indicator(self.source, &place).unwrap_or_else(|| {
            Diagnostic::error("PB102", self.source, place, "aliases (`*name`) are not read")
                .help("write the value out; what is audited is what is written")
        });
        self.findings.push(finding);
        Stop
    }

    /// Refuses anchors and tags.
    fn plain_data(
        &mut self,
        place: &Place,
        span: &Span,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Stop> {
        let (what, at) = if tag.is_some() {
            let at = span
                .tag_span()
                .map_or_else(|| place.clone(), |tag| self.place(&tag));
            ("tags (`!name`)", at)
        } else if anchor > 0 {
            ("anchors (`&name`)", self.anchor_before(place))
        } else {
            return Ok(());
        };
        let finding = traps::indicator(self.source, &at).unwrap_or_else(|| {
            Diagnostic::error("PB102", self.source, at, format!("{what} are not read"))
                .help("remove it, or quote the value if it is a text")
        });
        self.findings.push(finding);
        Err(Stop)
    }

    /// The `&name` in front of a node, as far as the line shows it.
    fn anchor_before(&self, place: &Place) -> Place {
        let before = self.source.text.get(..place.start).unwrap_or("");
        match before.rfind('&') {
            Some(start) => start..before.trim_end().len().max(start + 1),
            None => place.clone(),
        }
    }

    fn node(&mut self, place: &Place) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        let message = format!("this file has more than {NODES_MAX} keys and values");
        self.findings
            .push(Diagnostic::error("PB114", self.source, place.clone(), message).help("split it"));
        Err(Stop)
    }

    fn begin(&mut self, place: &Place, content: Content) -> Result<(), Stop> {
        self.node(place)?;
        if let Some(Open {
            content: Content::Map { key: None, .. },
            start,
        }) = self.open.last()
        {
            let finding = traps::complex_key(self.source, *start, place);
            self.findings.push(finding);
            return Err(Stop);
        }
        if self.open.len() >= DEPTH_MAX {
            let message = format!("maps and lists are nested more than {DEPTH_MAX} deep");
            self.findings.push(
                Diagnostic::error("PB114", self.source, place.clone(), message).help("flatten the structure"),
            );
            return Err(Stop);
        }
        self.open.push(Open {
            start: place.start,
            content,
        });
        Ok(())
    }

    fn end(&mut self, place: &Place) {
        let Some(open) = self.open.pop() else { return };
        let (data, last) = match open.content {
            Content::List(items) => {
                let last = items.last().map(|item| item.place.end);
                (Data::List(items), last)
            }
            Content::Map { fields, .. } => {
                let last = fields
                    .last()
                    .map(|field| field.value.place.end.max(field.key_place.end));
                (Data::Map(fields), last)
            }
        };
        // A flow collection ends with its bracket; a block collection with its last child, since
        // its end event stands before the next key.
        let bracket = place.end > place.start;
        let end = if bracket {
            place.end
        } else {
            last.unwrap_or(place.end)
        };
        self.add(Node {
            place: open.start..end.max(open.start),
            data,
        });
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) {
        let is_key = matches!(
            self.open.last(),
            Some(Open {
                content: Content::Map { key: None, .. },
                ..
            })
        );
        let data = match style {
            ScalarStyle::Plain => match scalar::resolve(text) {
                Plain::Means(_) if is_key && text == "<<" => {
                    self.findings.push(
                        Diagnostic::error(
                            "PB102",
                            self.source,
                            place.clone(),
                            "merge keys (`<<`) are not read",
                        )
                        .help("write the fields out"),
                    );
                    Data::Null
                }
                Plain::Means(data) => data,
                Plain::Ambiguous(problem, mut remedies) => {
                    if matches!(
                        self.open.last(),
                        Some(Open {
                            content: Content::List(_),
                            ..
                        })
                    ) {
                        // Items of lists are mostly words: the quoted form is the likelier one.
                        remedies.reverse();
                    }
                    self.ambiguous(problem, &remedies, &place);
                    Data::Text(text.to_owned(), Style::Plain)
                }
            },
            ScalarStyle::Literal | ScalarStyle::Folded => Data::Text(text.to_owned(), Style::Block),
            _ => Data::Text(text.to_owned(), Style::Quoted),
        };
        if is_key {
            self.key(text, place);
        } else {
            self.add(Node { place, data });
        }
    }

    fn ambiguous(&mut self, problem: String, remedies: &[String], place: &Place) {
        let mut finding = Diagnostic::error("PB111", self.source, place.clone(), problem);
        for remedy in remedies {
            finding = finding.help(format!("write `{remedy}`"));
        }
        if let Some(first) = remedies.first() {
            finding = finding.fix(place.clone(), first.clone());
        }
        self.findings.push(finding);
    }

    fn key(&mut self, name: &str, place: Place) {
        let mut repeated = None;
        if let Some(Open {
            content: Content::Map { fields, seen, key },
            ..
        }) = self.open.last_mut()
        {
            if !seen.insert(name.to_owned()) {
                repeated = fields
                    .iter()
                    .find(|field| field.key == name)
                    .map(|field| field.key_place.clone());
            }
            *key = Some((name.to_owned(), place.clone()));
        }
        if let Some(first) = repeated {
            self.findings.push(
                Diagnostic::error(
                    "PB108",
                    self.source,
                    place,
                    format!("the key `{name}` is here twice"),
                )
                .label("the second time")
                .evidence(self.source, first, "the first time")
                .help("remove one of them; readers disagree which one counts"),
            );
        }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { fields, key, .. }) => {
                if let Some((name, key_place)) = key.take() {
                    fields.push(Field {
                        key: name,
                        key_place,
                        value: node,
                    });
                }
            }
        }
    }
}
