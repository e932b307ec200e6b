//! From YAML to a tree. Only this and its folder know the YAML crate, whose events it walks: so tags, styles and places are all seen.

mod mistakes;
mod repeats;

use crate::{
    Fault, Node, Place, Value,
    node::{Key, Origin, Text},
    offsets::{Offsets, Style},
    quoting::{self, Role, Spot},
};
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle};
use std::collections::HashMap;

/// Deeper than any pipeline, and shallow enough for recursion.
const DEPTH_MAX: usize = 64;
/// With everything an alias repeats.
const NODES_MAX: usize = 100_000;
/// Of text, with everything an alias repeats.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// Reads one YAML document. After a fault of syntax there is no tree; what is broken otherwise stays in it as `Value::Broken`.
pub(crate) fn parse(file: &str) -> Result<Node, Vec<Fault>> {
    let mut reader =
        Reader { file, parser: Parser::new_from_str(file), anchors: HashMap::new(), open: 0, nodes: 0, text_bytes: 0, faults: Vec::new() };
    match reader.document() {
        Ok(root) => Ok(root),
        Err(Stop::Said) => Err(reader.faults),
        Err(Stop::Syntax(error)) => {
            let mut faults = reader.faults;
            let at = error.marker().byte_offset().unwrap_or(file.len()).min(file.len());
            if !faults.iter().any(|fault| quoting::same_line(file, fault.place.start as usize, at)) {
                faults.push(quoting::syntax(file, at, reader.open, mistakes::sentence(error.kind())));
            }
            Err(faults)
        }
    }
}

/// Why no tree comes out.
enum Stop {
    Syntax(Box<ScanError>),
    /// A fault that was noted already.
    Said,
}

struct Reader<'a> {
    file: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    /// Brackets not yet closed.
    open: usize,
    nodes: usize,
    text_bytes: usize,
    /// What is in the tree as broken, too, in case no tree comes out.
    faults: Vec<Fault>,
}

/// Where in the tree a node stands: how deep, and under which key.
#[derive(Clone, Copy)]
struct Within<'k> {
    depth: usize,
    key: Option<&'k Key>,
    listed: bool,
    flow: bool,
}

impl<'k> Within<'k> {
    fn spot(self) -> Spot<'k> {
        Spot { key: self.key.map(|(key, _)| key.as_str()), listed: self.listed, flow: self.flow }
    }
}

impl<'a> Reader<'a> {
    fn event(&mut self) -> Result<(Event<'a>, Span), Stop> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::StreamStart, _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => return Err(Stop::Syntax(Box::new(error))),
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn stop<T>(&mut self, place: Place, what: impl Into<String>) -> Result<T, Stop> {
        self.faults.push(Fault::at(place, what));
        Err(Stop::Said)
    }

    fn broken(&mut self, place: Place, fault: Fault) -> Node {
        self.faults.push(fault.clone());
        Node { value: Value::Broken(Box::new(fault)), place }
    }

    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = Node { value: Value::Null, place: Place::default() };
        if let (Event::DocumentStart(..), _) = self.event()? {
            let (event, span) = self.event()?;
            root = self.node(event, &span, Within { depth: 0, key: None, listed: false, flow: false })?;
            self.event()?;
        }
        let (next, span) = self.event()?;
        if let Event::DocumentStart(..) = next {
            let what = "a second YAML document starts here; a file holds one";
            return self.stop(self.place(&span), what);
        }
        Ok(root)
    }

    fn place(&self, span: &Span) -> Place {
        let byte = |at: Option<usize>| u32::try_from(at.unwrap_or_default().min(self.file.len())).unwrap_or(u32::MAX);
        let start = byte(span.start.byte_offset());
        Place { start, end: byte(span.end.byte_offset()).max(start) }
    }

    fn node(&mut self, event: Event<'a>, span: &Span, within: Within<'_>) -> Result<Node, Stop> {
        let place = self.place(span);
        self.nodes += 1;
        if within.depth > DEPTH_MAX || self.nodes > NODES_MAX {
            let what = if within.depth > DEPTH_MAX { "this is nested too deeply" } else { "the file holds too many values" };
            return self.stop(place, what);
        }
        let anchor = event.anchor_id();
        let tagged = event.tag().is_some();
        let mut node = match event {
            Event::Scalar(text, style, ..) => self.scalar(&text, style, place, within)?,
            Event::SequenceStart(style, ..) => self.list(style, place, within)?,
            Event::MappingStart(style, ..) => self.map(style, place, within)?,
            Event::Alias(id) => self.alias(id, place, within)?,
            _ => return self.stop(place, "a value is expected here"),
        };
        if tagged {
            // A tag would vanish with its `!`, and with it the meaning of a condition (`!exists(.x)`).
            let tag = span.tag_span().map_or(place, |tag| self.place(&tag));
            let end = if matches!(node.value, Value::Text(_)) { place.end.max(tag.end) } else { tag.end };
            let fault = quoting::tag(self.file, Place { start: tag.start, end }, within.spot());
            node = self.broken(place, fault);
        }
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place, within: Within<'_>) -> Result<Node, Stop> {
        let style = match style {
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            ScalarStyle::Plain => Style::Plain,
        };
        let raw = self.file.get(place.start as usize..place.end as usize).unwrap_or_default();
        let plain = style == Style::Plain;
        if plain && (raw.is_empty() || text.is_empty()) {
            return Ok(Node { value: Value::Null, place: within.key.map_or(place, |(_, key)| *key) });
        }
        if plain && matches!(text, "~" | "null" | "Null" | "NULL") {
            return Ok(Node { value: Value::Null, place });
        }
        self.spend(text.len(), place)?;
        let raw = raw.trim_end();
        let place = Place { end: place.start.saturating_add(u32::try_from(raw.len()).unwrap_or(u32::MAX)), ..place };
        let offsets = Offsets::align(text, style, self.file, place);
        let text = Text { text: text.to_owned(), plain, raw: raw.to_owned(), offsets, origin: Origin::File };
        Ok(Node { value: Value::Text(text), place })
    }

    fn spend(&mut self, bytes: usize, place: Place) -> Result<(), Stop> {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
        if self.text_bytes > TEXT_BYTES_MAX {
            return self.stop(place, "the file holds too much text");
        }
        Ok(())
    }

    fn list(&mut self, style: StructureStyle, place: Place, within: Within<'_>) -> Result<Node, Stop> {
        let flow = within.flow || style == StructureStyle::Flow;
        self.open += usize::from(style == StructureStyle::Flow);
        let mut items: Vec<Node> = Vec::new();
        let mut whole = place;
        let mut cut_until = 0;
        loop {
            let (event, span) = self.event()?;
            if matches!(event, Event::SequenceEnd) {
                self.open -= usize::from(style == StructureStyle::Flow);
                whole.end = self.end(style, &span, items.last(), whole);
                return Ok(Node { value: Value::List(items), place: whole });
            }
            let within = Within { depth: within.depth + 1, listed: true, flow, ..within };
            let item = self.node(event, &span, within)?;
            if item.place.start >= cut_until {
                items.push(self.whole(item, within, &mut cut_until));
            }
        }
    }

    fn end(&self, style: StructureStyle, end: &Span, last: Option<&Node>, whole: Place) -> u32 {
        match (style, last) {
            (StructureStyle::Flow, _) => self.place(end).end,
            (StructureStyle::Block, Some(last)) => last.place.end.max(whole.end),
            (StructureStyle::Block, None) => whole.end,
        }
    }

    fn map(&mut self, style: StructureStyle, place: Place, within: Within<'_>) -> Result<Node, Stop> {
        let flow = within.flow || style == StructureStyle::Flow;
        self.open += usize::from(style == StructureStyle::Flow);
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut merged = Vec::new();
        let mut whole = place;
        let mut cut_until = 0;
        let mut names: HashMap<String, Place> = HashMap::new();
        loop {
            let (event, span) = self.event()?;
            if matches!(event, Event::MappingEnd) {
                self.open -= usize::from(style == StructureStyle::Flow);
                whole.end = self.end(style, &span, entries.last().map(|(_, node)| node), whole);
                break;
            }
            let (key, cut) = self.key(event, &span, flow)?;
            let (event, span) = self.event()?;
            let inner = Within { depth: within.depth + 1, key: Some(&key), listed: false, flow };
            let mut value = self.node(event, &span, inner)?;
            if key.1.start < cut_until {
                continue;
            }
            if let Some(fault) = cut {
                value = self.broken(value.place, fault);
            }
            // A condition per signal (`drop: { spans: … }`) is still a condition.
            let under = within.key.filter(|(outer, _)| quoting::role(Some(outer)) == Role::Condition).unwrap_or(&key);
            value = self.whole(value, Within { key: Some(under), ..inner }, &mut cut_until);
            if let Some(first) = names.insert(key.0.clone(), key.1) {
                let (line, column) = crate::show::line_column(self.file, first.start);
                let what = format!("`{}` is written twice; the first stands at {line}:{column}", key.0);
                value = self.broken(value.place, Fault::at(key.1, what).help("keep one of them"));
            }
            if key.0 == "<<" {
                merged.push((key, value));
            } else {
                entries.push((key, value));
            }
        }
        for (key, value) in merged {
            self.merge(&mut entries, &mut names, key, value);
        }
        Ok(Node { value: Value::Map(entries), place: whole })
    }

    /// A key, and the fault if it is only one half of a text that `: ` cut in two.
    fn key(&mut self, event: Event<'a>, span: &Span, flow: bool) -> Result<(Key, Option<Fault>), Stop> {
        let place = self.place(span);
        match event {
            Event::Scalar(text, style, _, None) => {
                self.spend(text.len(), place)?;
                let cut = style == ScalarStyle::Plain && quoting::unbalanced_quotes(&text);
                Ok(((text.into_owned(), place), cut.then(|| quoting::cut_key(self.file, place, flow))))
            }
            Event::Scalar(..) => self.stop(place, "a key takes no YAML tag; quote it"),
            _ => {
                self.faults.push(quoting::syntax(self.file, place.start as usize, self.open, "a key must be text"));
                Err(Stop::Said)
            }
        }
    }

    /// The node itself, or its fault if it is a condition that YAML ended too early. What was meant to belong to it is passed over.
    fn whole(&mut self, node: Node, within: Within<'_>, cut_until: &mut u32) -> Node {
        let spot = within.spot();
        let plain = matches!(&node.value, Value::Text(text) if text.plain);
        if !plain || quoting::role(spot.key) == Role::Value {
            return node;
        }
        let Some(fault) = quoting::cut(self.file, node.place, spot) else { return node };
        *cut_until = fault.place.end;
        self.broken(node.place, fault)
    }
}
