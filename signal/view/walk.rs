//! The way through a request: resource, scope, (metric, data,) record. Views and edits both go this way, so positions are those of the whole request.

use super::{Item, LogRecord, Metric, Point, Record, Resource, Scope, Span, attributes_field};
use crate::{
    Signal,
    wire::{Field, Fields, Wire},
};

/// A message that stands around records, or a record: where its tag, its content and its end are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) number: u32,
    pub(crate) tag: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Frame {
    fn of(field: &Field<'_>) -> Frame {
        let length = if let Wire::Bytes(content) = field.value { content.len() } else { 0 };
        Frame { number: field.number, tag: field.start, start: field.end - length, end: field.end }
    }
}

/// Whether the scope of a record is wanted. Its schema URL stands behind the records, so to know it is to go over them all.
#[derive(Clone, Copy, Debug)]
enum Scopes {
    Read,
    PassedOver,
}

/// Stands before the first record when made; `advance` moves to the next. Allocates nothing.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'a> {
    signal: Signal,
    reads: Scopes,
    raw: &'a [u8],
    groups: Fields<'a>,
    scopes: Fields<'a>,
    items: Fields<'a>,
    points: Fields<'a>,
    resource: Resource<'a>,
    scope: Scope<'a>,
    metric: Option<Metric<'a>>,
    frames: [Frame; 4],
    record: Frame,
    content: &'a [u8],
}

impl<'a> Walk<'a> {
    pub(crate) fn new(signal: Signal, raw: &'a [u8]) -> Walk<'a> {
        Walk {
            signal,
            reads: Scopes::Read,
            raw,
            groups: Fields::of(raw),
            scopes: Fields::default(),
            items: Fields::default(),
            points: Fields::default(),
            resource: Resource::default(),
            scope: Scope::default(),
            metric: None,
            frames: [Frame::default(); 4],
            record: Frame::default(),
            content: &[],
        }
    }

    /// For whoever asks where records lie: those that it gives have no scope.
    pub(crate) fn without_scopes(signal: Signal, raw: &'a [u8]) -> Walk<'a> {
        Walk { reads: Scopes::PassedOver, ..Walk::new(signal, raw) }
    }

    /// Moves to the next record; false at the end.
    #[inline]
    pub(crate) fn advance(&mut self) -> bool {
        loop {
            if self.signal == Signal::Metrics
                && let Some((field, content)) = self.points.next_bytes(1)
            {
                (self.record, self.content) = (Frame::of(&field), content);
                return true;
            }
            let Some((field, content)) = self.items.next_bytes(2) else {
                if self.next_scope() {
                    continue;
                }
                return false;
            };
            if self.signal != Signal::Metrics {
                (self.record, self.content) = (Frame::of(&field), content);
                return true;
            }
            self.enter_metric(Frame::of(&field), content);
        }
    }

    fn enter_metric(&mut self, frame: Frame, content: &'a [u8]) {
        if let Some((metric, data)) = Metric::of(Fields::within(self.raw, frame.start, frame.end), content) {
            let data = Frame::of(&data);
            self.metric = Some(metric);
            self.points = Fields::within(self.raw, data.start, data.end);
            let [group, scope, ..] = self.frames;
            self.frames = [group, scope, frame, data];
        }
    }

    fn next_scope(&mut self) -> bool {
        loop {
            let [group, ..] = self.frames;
            if let Some((field, _)) = self.scopes.next_bytes(2) {
                let scope = Frame::of(&field);
                self.items = Fields::within(self.raw, scope.start, scope.end);
                if let Scopes::Read = self.reads {
                    self.scope = Scope::of_group(self.items);
                }
                self.frames = [group, scope, Frame::default(), Frame::default()];
                return true;
            }
            let Some((field, _)) = self.groups.next_bytes(1) else { return false };
            let group = Frame::of(&field);
            self.scopes = Fields::within(self.raw, group.start, group.end);
            self.resource = Resource::of_group(self.scopes);
            self.frames = [group, Frame::default(), Frame::default(), Frame::default()];
        }
    }

    /// The record that it stands on.
    #[inline]
    pub(crate) fn record(&self) -> Record<'a> {
        Record { resource: self.resource, scope: self.scope, item: self.item() }
    }

    /// The resource that it stands under.
    pub(crate) fn resource(&self) -> Resource<'a> {
        self.resource
    }

    #[inline]
    fn item(&self) -> Item<'a> {
        match (self.signal, self.metric) {
            (Signal::Logs, _) => Item::Log(LogRecord::of(self.content)),
            (Signal::Metrics, Some(metric)) => Item::Point(metric, Point::of(metric.kind(), self.content)),
            _ => Item::Span(Span::of(self.content)),
        }
    }

    /// The message of that record.
    #[inline]
    pub(crate) fn content(&self) -> &'a [u8] {
        self.content
    }

    /// The field that its attributes are in.
    pub(crate) fn attributes_field(&self) -> Option<u32> {
        match self.signal {
            Signal::Traces => Some(9),
            Signal::Logs => Some(6),
            Signal::Metrics => self.metric.map(|metric| attributes_field(metric.kind())),
        }
    }

    /// Where that record lies.
    pub(crate) fn frame(&self) -> Frame {
        self.record
    }

    /// What stands around it, outermost first: resource group, scope group, and for metrics the metric and its data.
    pub(crate) fn frames(&self) -> &[Frame] {
        self.frames.get(..if self.signal == Signal::Metrics { 4 } else { 2 }).unwrap_or_default()
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        self.advance().then(|| self.record())
    }
}
