//! The pass over the bytes: every field of every message against the tables in `schema`.

use super::{
    Limits,
    glance::{Ascii, Found, glance, is_utf8},
    schema::{Known, Message, Role, Shape, Times},
};
use crate::{
    SpanId, TraceId,
    wire::{Broken, Field, Fields, Wire, field, varint},
};
use std::{borrow::Cow, ops::Range};

/// Levels of messages below the request. Prost, protobuf for Java and others go no deeper.
const DEPTH_MAX: usize = 100;

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// The request cannot be read.
    Request,
    /// The record (or what records share) breaks a rule by itself and is cut.
    Record,
}

/// What is wrong at which byte.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: Cow<'static, str>,
    harm: Harm,
}

type Outcome = Result<(), Box<Fault>>;

fn refuse(at: usize, what: impl Into<Cow<'static, str>>) -> Outcome {
    Err(Box::new(Fault { at, what: what.into(), harm: Harm::Request }))
}

fn cut(at: usize, what: impl Into<Cow<'static, str>>) -> Outcome {
    Err(Box::new(Fault { at, what: what.into(), harm: Harm::Record }))
}

impl From<Broken> for Box<Fault> {
    fn from(broken: Broken) -> Box<Fault> {
        Box::new(Fault { at: broken.at, what: broken.what.into(), harm: Harm::Request })
    }
}

/// What was found so far.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    raw: &'a [u8],
    limits: &'a Limits,
    /// Records seen, cut ones included.
    pub(super) records: usize,
    /// Records that are to be cut.
    pub(super) rejected: usize,
    /// What is to be cut, ascending, without overlap.
    pub(super) cuts: Vec<Range<usize>>,
    /// Why the first of them is.
    pub(super) why: Option<Box<Fault>>,
    /// Whether something was given twice that views expect once.
    pub(super) rewrite: bool,
    ascii: Ascii,
}

/// Where a message stands.
#[derive(Clone, Copy)]
struct Level {
    /// Messages around it.
    depth: usize,
    /// Arrays and maps around it.
    nesting: usize,
}

impl<'a> Pass<'a> {
    pub(super) fn new(raw: &'a [u8], limits: &'a Limits) -> Pass<'a> {
        Pass { raw, limits, records: 0, rejected: 0, cuts: Vec::new(), why: None, rewrite: false, ascii: Ascii::default() }
    }

    /// Goes over the whole request.
    pub(super) fn run(&mut self, request: &'static Message) -> Outcome {
        self.message(request, 0, 0..self.raw.len(), Level { depth: 0, nesting: 0 })
    }

    /// Recurses into messages, `DEPTH_MAX` deep at the most.
    fn message(&mut self, message: &'static Message, tag: usize, content: Range<usize>, level: Level) -> Outcome {
        self.enter(message.role, tag, content.len())?;
        let raw = self.raw;
        let bytes = raw.get(..content.end).unwrap_or_default();
        let (mut at, mut found, mut spoiled) = (content.start, Found::default(), None);
        while at < content.end {
            if let Some(end) = glance(message, bytes, at, self.limits.key_bytes_max, &mut self.ascii, &mut found) {
                at = end;
                continue;
            }
            let field = field(bytes, at)?;
            at = field.end;
            let Some(known) = message.known(field.number) else { continue };
            match known.times {
                Times::Last | Times::Many => {}
                Times::Attributes => found.attributes += 1,
                Times::Once(bit) | Times::Value(bit) => found.once(1 << bit),
            }
            match (known.shape, field.value) {
                (Shape::Inner(inner), Wire::Bytes(_)) => match self.inner(inner, &field, level) {
                    Err(fault) if message.role == Role::Group && fault.harm == Harm::Record => spoiled = spoiled.or(Some(fault)),
                    outcome => outcome?,
                },
                (Shape::TraceId, Wire::Bytes(id)) => found.ids = found.ids & !1 | u8::from(TraceId::of_bytes(id).is_some()),
                (Shape::SpanId, Wire::Bytes(id)) => found.ids = found.ids & !2 | u8::from(SpanId::of_bytes(id).is_some()) << 1,
                _ => self.scalar(known, &field)?,
            }
        }
        self.rewrite |= found.again;
        if let Some(fault) = spoiled {
            return Err(fault);
        }
        if found.attributes > self.limits.attributes_max {
            return cut(tag, format!("{} attributes, {} are allowed", found.attributes, self.limits.attributes_max));
        }
        match (message.role, found.ids) {
            (Role::Span, 0 | 2) => cut(tag, "a span needs a trace_id of 16 bytes that are not all zero"),
            (Role::Span, 1) => cut(tag, "a span needs a span_id of 8 bytes that are not all zero"),
            _ => Ok(()),
        }
    }

    /// What is known before the fields are read.
    fn enter(&mut self, role: Role, tag: usize, length: usize) -> Outcome {
        let bytes_max = match role {
            Role::Plain | Role::Group | Role::Nest => return Ok(()),
            Role::Head => self.limits.resource_bytes_max,
            Role::Record | Role::Span => {
                if self.records >= self.limits.records_max {
                    return refuse(tag, format!("more than {} records in a request", self.limits.records_max));
                }
                self.records += 1;
                self.limits.record_bytes_max
            }
        };
        if length > bytes_max {
            return cut(tag, format!("{length} bytes, {bytes_max} are allowed"));
        }
        Ok(())
    }

    #[inline]
    fn inner(&mut self, inner: &'static Message, field: &Field<'_>, level: Level) -> Outcome {
        let Wire::Bytes(content) = field.value else { return Ok(()) };
        let nesting = level.nesting + usize::from(inner.role == Role::Nest);
        let level = Level { depth: level.depth + 1, nesting };
        if nesting > self.limits.nesting_max || level.depth > DEPTH_MAX {
            return cut(field.start, format!("arrays and maps more than {} levels deep", nesting.saturating_sub(1)));
        }
        let (records, rejected) = (self.records, self.rejected);
        match self.message(inner, field.start, field.end - content.len()..field.end, level) {
            Err(fault) if fault.harm == Harm::Record && matches!(inner.role, Role::Group | Role::Record | Role::Span) => {
                self.rejected = rejected + (self.records - records);
                self.cuts.truncate(self.cuts.partition_point(|cut| cut.start < field.start));
                self.cuts.push(field.start..field.end);
                self.why.get_or_insert(fault);
                Ok(())
            }
            outcome => outcome,
        }
    }

    #[inline]
    fn scalar(&mut self, known: &Known, field: &Field<'_>) -> Outcome {
        match (known.shape, field.value) {
            (Shape::Text, Wire::Bytes(text)) => utf8(field, text),
            (Shape::Key, Wire::Bytes(text)) if text.len() <= self.limits.key_bytes_max => utf8(field, text),
            (Shape::Key, Wire::Bytes(text)) => {
                cut(field.start, format!("a key of {} bytes, {} are allowed", text.len(), self.limits.key_bytes_max))
            }
            (Shape::Fixed64s, Wire::Bytes(packed)) if packed.len() % 8 == 0 => Ok(()),
            (Shape::Fixed64s, Wire::Bytes(_)) => refuse(field.start, "packed 64-bit numbers that end within a number"),
            (Shape::Varints, Wire::Bytes(packed)) => packed_varints(field, packed),
            (Shape::Varint | Shape::Varints, Wire::Varint(_))
            | (Shape::Fixed64 | Shape::Fixed64s, Wire::Fixed64(_))
            | (Shape::Fixed32, Wire::Fixed32(_))
            | (Shape::Bytes, Wire::Bytes(_)) => Ok(()),
            (shape, value) => refuse(field.start, format!("wire type {} where {} belongs", value.kind(), wanted(shape))),
        }
    }
}

#[inline]
fn utf8(field: &Field<'_>, text: &[u8]) -> Outcome {
    if is_utf8(text) { Ok(()) } else { refuse(field.start, "text that is not UTF-8") }
}

fn packed_varints(field: &Field<'_>, packed: &[u8]) -> Outcome {
    let mut at = 0;
    while at < packed.len() {
        at = varint(packed, at).map_err(|broken| Broken { at: field.end - packed.len() + broken.at, ..broken })?.1;
    }
    Ok(())
}

const fn wanted(shape: Shape) -> &'static str {
    match shape {
        Shape::Varint => "a varint (0)",
        Shape::Fixed64 => "a 64-bit number (1)",
        Shape::Fixed32 => "a 32-bit number (5)",
        Shape::Text | Shape::Key => "text (2)",
        Shape::Bytes | Shape::TraceId | Shape::SpanId => "bytes (2)",
        Shape::Fixed64s => "64-bit numbers (1 or 2)",
        Shape::Varints => "varints (0 or 2)",
        Shape::Inner(_) => "a message (2)",
    }
}

/// The path to the field at this byte; what lies before it was read without fault. Looked up only when there is something to tell.
pub(super) fn path_of(request: &'static Message, raw: &[u8], offset: usize) -> String {
    let mut path = String::new();
    let (mut message, mut start, mut end) = (request, 0, raw.len());
    loop {
        let mut fields = Fields::within(raw, start, end);
        let found = fields.by_ref().find(|f| f.start <= offset && offset < f.end);
        // A field that is itself broken is no field; its tag may still be readable.
        let (number, at) = match found {
            Some(field) => (field.number, field.start),
            None => match varint(raw.get(..end).unwrap_or_default(), fields.position()) {
                Ok((tag, _)) => (u32::try_from(tag >> 3).unwrap_or(0), fields.position()),
                Err(_) => break,
            },
        };
        let Some(known) = message.known(number) else { break };
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(known.name);
        if matches!(known.times, Times::Many | Times::Attributes) {
            let index = Fields::within(raw, start, end).take_while(|f| f.start < at).filter(|f| f.number == number).count();
            path.push_str(&format!("[{index}]"));
        }
        let Some((field, Shape::Inner(inner))) = found.map(|field| (field, known.shape)) else { break };
        let Wire::Bytes(content) = field.value else { break };
        (message, start, end) = (inner, field.end - content.len(), field.end);
        if offset < start {
            break;
        }
    }
    if path.is_empty() { "request".to_owned() } else { path }
}
