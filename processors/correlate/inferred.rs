//! Logs without ids, joined to the request that was under way in their pod when they were written: by time, and by what line and span both say. It is a guess and is
//! told as one, with its probability; the trace id of the log stays what it was.

use super::{
    clues::{Clues, Evidence, Line},
    place::{Place, Places, places},
};
use crate::seed::Seed;
use config::{Period, Share};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Item, Record, SpanId, Time, TraceId, Value, view::LogRecord, view::SpanKind};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Joins logs without ids to the request that was under way in the same pod (else container, process or instance) when they were written. They wait for its
/// spans, and get `correlation.trace_id`, `correlation.span_id`, `correlation.method=pod_time` and `correlation.confidence`; their own trace id stays
/// empty. Spans and logs of a pod have to come to the same process, so that all of it is done in one lane; requests that are not traced make the guess worse.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Infer {
    /// Joined is what is at least so probable.
    min_confidence: Share,
    /// How long a log waits for spans, which come when they have ended and their SDK exports them.
    wait: Period,
    /// Attributes of spans that hold the id of a request, which lines of it may hold too.
    request_ids: Vec<String>,
}

impl Default for Infer {
    fn default() -> Infer {
        let request_ids = ["http.request.header.x-request-id", "http.request.header.x-correlation-id", "request_id", "request.id"];
        Infer { min_confidence: Share(0.9), wait: Period(Duration::from_secs(6)), request_ids: request_ids.map(str::to_owned).into() }
    }
}

/// How probable it is at the least, against one request under way, that a line belongs to none that is traced: start, timers, housekeeping.
const NONE_OF_THEM: f64 = 0.05;
/// How many standard deviations of a count are added to it.
const SURE: f64 = 1.65;
/// Spans that a line is compared with to find out what its clues are worth.
const COMPARED: usize = 32;
/// What came in less time says nothing of how busy a pod is.
const KNOWN_MIN: Duration = Duration::from_secs(2);
/// What is left each second of what was counted.
const FADING: f64 = 0.99;
/// Clocks of a span and of a log within one process.
const APART: u64 = 1_000_000;
/// Spans are known for so much longer than logs wait.
const LONGER: Duration = Duration::from_secs(5);
/// Requests under way at once beyond which nothing is guessed.
const CANDIDATES_MAX: usize = 512;
/// Allocated for a span.
const SPAN_BYTES: usize = size_of::<Under>();
/// Allocated for a name of a place, in a table with room to grow.
const NAME_BYTES: usize = 2 * size_of::<(Place, Name)>();
/// Beyond so many, all are forgotten: pods come and go.
const NAMES_MAX: usize = 1 << 16;

/// Requests under way, by pod, and the logs that wait for them.
pub(super) struct Inferring {
    /// Without them nothing is learned, and what waits goes on as it came.
    settings: Option<Infer>,
    bytes_max: usize,
    seed: Seed,
    names: HashMap<Place, Name>,
    pods: HashMap<u64, Pod>,
    pods_seen: u64,
    waiting: VecDeque<(Time, Batch)>,
    waiting_logs: usize,
    waiting_bytes: usize,
    spans_bytes: usize,
    swept: Time,
}

/// Whose a name of a place is.
#[derive(Clone, Copy)]
struct Name {
    /// None where several containers have it.
    pod: Option<u64>,
    /// It is the narrowest name of its pod's spans.
    is_own: bool,
}

/// Spans of one pod, or of one container where they say which, by their start.
struct Pod {
    /// When its first span came.
    since: Time,
    spans: Vec<Under>,
    /// The longest of them.
    longest: u64,
    /// The share of the time in which one was under way. What waits is guessed only once that is known.
    busy: f64,
    /// Lines that came while one was under way, and while none was.
    met: f64,
    missed: f64,
}

/// A span during which lines may have been written.
struct Under {
    start: u64,
    end: u64,
    trace: TraceId,
    span: SpanId,
    seen: Time,
    clues: Clues,
}

/// A guess.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Guess {
    trace: TraceId,
    span: SpanId,
    confidence: f64,
}

impl Inferring {
    pub(super) fn new(settings: Option<Infer>, bytes_max: usize) -> Inferring {
        let (seed, names, pods, pods_seen, waiting) = Default::default();
        let (waiting_logs, waiting_bytes, spans_bytes, swept) = Default::default();
        Inferring { settings, bytes_max, seed, names, pods, pods_seen, waiting, waiting_logs, waiting_bytes, spans_bytes, swept }
    }

    /// Everything that it holds, which is gone on with by other settings.
    pub(super) fn release(&mut self) -> Inferring {
        let empty = Inferring::new(self.settings.clone(), self.bytes_max);
        std::mem::replace(self, empty)
    }

    /// Goes on with what another one held, by its own settings.
    pub(super) fn adopt(&mut self, other: Inferring) {
        *self = Inferring { settings: self.settings.take(), bytes_max: self.bytes_max, ..other };
    }

    /// Log records that wait.
    pub(super) fn logs(&self) -> usize {
        self.waiting_logs
    }

    /// Allocated bytes.
    pub(super) fn bytes(&self) -> usize {
        self.waiting_bytes + self.spans_bytes + self.names.len() * NAME_BYTES
    }

    /// When the next logs have waited long enough.
    pub(super) fn due(&self) -> Option<Time> {
        self.waiting.front().map(|(due, _)| *due)
    }

    /// Remembers during which spans of a batch lines may be written.
    pub(super) fn learn(&mut self, spans: &Batch, now: Time) {
        let Some(settings) = self.settings.clone() else { return };
        self.sweep(settings.wait.0, now);
        let mut at_hand: Option<(*const u8, Option<u64>)> = None;
        for record in spans.records() {
            let Item::Span(span) = record.item else { continue };
            if !matches!(span.kind(), SpanKind::Server | SpanKind::Consumer | SpanKind::Internal) {
                continue;
            }
            let bytes = record.resource.bytes().as_ptr();
            let pod = match at_hand {
                Some((same, pod)) if same == bytes => pod,
                _ => self.pod_of_spans(&places(self.seed, &record.resource), now),
            };
            at_hand = Some((bytes, pod));
            let Some(pod) = pod.and_then(|pod| self.pods.get_mut(&pod)) else { continue };
            let clues = Clues::of(&span, &settings.request_ids);
            self.spans_bytes += SPAN_BYTES + clues.bytes();
            let (start, end) = (span.start(), span.end());
            pod.longest = pod.longest.max(end.saturating_sub(start));
            let at = pod.spans.partition_point(|other| other.start <= start);
            pod.spans.insert(at, Under { start, end, trace: span.trace_id(), span: span.span_id(), seen: now, clues });
        }
    }

    /// Has logs without ids wait, if one of them is of a pod with requests; gives back those of which nothing can be guessed.
    pub(super) fn hold(&mut self, logs: Batch, now: Time) -> Option<Batch> {
        let Some(wait) = self.settings.as_ref().map(|settings| settings.wait.0) else { return Some(logs) };
        let mut last = None;
        let known = logs.records().any(|record| {
            let bytes = record.resource.bytes().as_ptr();
            last.replace(bytes) != Some(bytes) && self.pod_of_log(&record).is_some()
        });
        if !known {
            return Some(logs);
        }
        self.waiting_logs += logs.len();
        self.waiting_bytes += logs.bytes();
        self.waiting.push_back((now.plus(wait), logs));
        None
    }

    /// Logs that have waited long enough, or that cannot wait because too much is held, with what is guessed of them.
    pub(super) fn next(&mut self, now: Time) -> Option<Batch> {
        let is_next = |(due, _): &(Time, Batch)| *due <= now || self.bytes() > self.bytes_max;
        self.waiting.front().filter(|front| is_next(front))?;
        self.pop()
    }

    /// Logs that wait, whether they have waited long enough or not.
    pub(super) fn pop(&mut self) -> Option<Batch> {
        let (_, mut logs) = self.waiting.pop_front()?;
        self.waiting_logs -= logs.len();
        self.waiting_bytes -= logs.bytes();
        let guesses: Vec<Option<Guess>> = logs.records().map(|record| self.guess(&record)).collect();
        let mut guesses = guesses.into_iter();
        logs.edit(|_, edit| {
            let Some(guess) = guesses.next().flatten() else { return };
            edit.set_attribute("correlation.trace_id", Value::Text(guess.trace.to_string()));
            edit.set_attribute("correlation.span_id", Value::Text(guess.span.to_string()));
            edit.set_attribute("correlation.method", "pod_time".into());
            // Four digits: more would only look as if it were known.
            edit.set_attribute("correlation.confidence", Value::Double((guess.confidence * 1e4).round() / 1e4));
        });
        Some(logs)
    }

    fn guess(&mut self, record: &Record<'_>) -> Option<Guess> {
        let Item::Log(log) = &record.item else { return None };
        let least = self.settings.as_ref()?.min_confidence.0;
        let pod = self.pod_of_log(record)?;
        let pod = self.pods.get_mut(&pod)?;
        let best = pod.guess(log)?;
        (best.confidence >= least).then_some(best)
    }

    /// The pod of these spans, known from now on by all names of its place.
    fn pod_of_spans(&mut self, places: &Places, now: Time) -> Option<u64> {
        let (own, others) = places.split_first()?;
        let known = self.names.get(own).filter(|name| name.is_own).and_then(|name| name.pod);
        let number = known.unwrap_or_else(|| {
            self.pods_seen += 1;
            self.pods_seen
        });
        self.pods.entry(number).or_insert_with(|| Pod::new(now));
        self.names.insert(*own, Name { pod: Some(number), is_own: true });
        for place in others {
            let name = self.names.entry(*place).or_insert(Name { pod: Some(number), is_own: false });
            if !name.is_own && name.pod != Some(number) {
                name.pod = None;
            }
        }
        Some(number)
    }

    fn pod_of_log(&self, record: &Record<'_>) -> Option<u64> {
        places(self.seed, &record.resource).iter().find_map(|place| self.names.get(place)?.pod)
    }

    /// Forgets spans that no log waits for any more, once a second, and all of them when they hold half of what there is.
    fn sweep(&mut self, wait: Duration, now: Time) {
        let too_much = self.spans_bytes > self.bytes_max / 2;
        if now.since(self.swept) < Duration::from_secs(1) && !too_much {
            return;
        }
        self.swept = now;
        let known = if too_much { Duration::from_secs(1) } else { wait + LONGER };
        let mut left = 0;
        self.pods.retain(|_, pod| {
            pod.spans.retain(|span| now.since(span.seen) < known);
            pod.look_back(wait + LONGER, now);
            left += pod.spans.iter().map(|span| SPAN_BYTES + span.clues.bytes()).sum::<usize>();
            !pod.spans.is_empty()
        });
        let pods = &self.pods;
        self.names.retain(|_, name| name.pod.is_none_or(|pod| pods.contains_key(&pod)));
        self.spans_bytes = left;
        if left > self.bytes_max / 2 || self.names.len() > NAMES_MAX {
            (self.names, self.pods, self.spans_bytes) = Default::default();
        }
    }
}

/// How many lines of requests that are not traced there are for each of one that is, while one is under way: at the most, by what was seen. Such lines come at any time: as
/// many as came while nothing was under way came, in proportion, while something was. Where that was seldom, little is known, and the most that it may be is much.
fn untraced(busy: f64, met: f64, missed: f64) -> f64 {
    let most = missed + SURE * (missed + 1.0).sqrt();
    let share = (most * busy / (1.0 - busy).max(1e-6) / met.max(1.0)).min(0.99);
    share / (1.0 - share)
}

impl Pod {
    fn new(now: Time) -> Pod {
        Pod { since: now, spans: Vec::new(), longest: 0, busy: 0.0, met: 0.0, missed: 0.0 }
    }

    /// Learns from the spans of so long how long they are and how busy the pod is; forgets some of what was counted.
    fn look_back(&mut self, length: Duration, now: Time) {
        let (mut under_way, mut until) = (0, 0);
        for span in &self.spans {
            under_way += span.end.saturating_sub(span.start.max(until));
            until = until.max(span.end);
        }
        let known = now.since(self.since).min(length);
        if known >= KNOWN_MIN {
            self.busy = (under_way as f64 / known.as_nanos() as f64).min(1.0);
        }
        self.longest = self.spans.iter().map(|span| span.end.saturating_sub(span.start)).max().unwrap_or(0);
        self.met *= FADING;
        self.missed *= FADING;
    }

    /// The most probable of the traces that were under way here when this was written, and how probable it is.
    fn guess(&mut self, log: &LogRecord<'_>) -> Option<Guess> {
        let at = Some(log.time()).filter(|at| *at > 0)?;
        let last = self.spans.partition_point(|span| span.start <= at + APART);
        let from = at.saturating_sub(self.longest + APART);
        let under = self.spans[..last].iter().rev().take_while(|span| span.start >= from).filter(|span| span.end + APART >= at);
        let line = Line::of(log);
        // Of each trace its innermost span, which began last and so comes first, and what all its spans have in common with the line.
        let mut traces: Vec<(&Under, Evidence)> = Vec::new();
        for span in under {
            let evidence = span.clues.on(&line);
            if let Some((_, all)) = traces.iter_mut().find(|(other, _)| other.trace == span.trace) {
                *all = all.and(evidence);
            } else if traces.len() < CANDIDATES_MAX {
                traces.push((span, evidence));
            } else {
                return None;
            }
        }
        *if traces.is_empty() { &mut self.missed } else { &mut self.met } += 1.0;
        let all: f64 = traces.iter().map(|(_, evidence)| evidence.weight()).sum();
        let under_way = traces.len() as f64;
        let (best, evidence) = traces.into_iter().max_by(|(_, one), (_, other)| one.weight().total_cmp(&other.weight()))?;
        // A request that is not traced may have been like this one, and have said the same.
        let alike = (evidence.weight() * self.share_with(evidence, &line)).max(1.0);
        let none = (untraced(self.busy, self.met, self.missed) * alike).max(NONE_OF_THEM);
        Some(Guess { trace: best.trace, span: best.span, confidence: evidence.weight() / (none * under_way + all) })
    }

    /// The share of requests here that have all of these clues of a line in them, whether they were under way or not: at the most, by a few of the latest.
    fn share_with(&self, evidence: Evidence, line: &Line<'_>) -> f64 {
        if evidence == Evidence::default() {
            return 1.0;
        }
        let compared = self.spans.len().min(COMPARED);
        let step = (self.spans.len() / COMPARED).max(1);
        let with =
            self.spans.iter().rev().step_by(step).take(COMPARED).filter(|span| span.clues.on(line).and(evidence) == span.clues.on(line));
        (with.count() as f64 + 1.0) / (compared as f64 + 1.0)
    }
}

#[cfg(test)]
mod tests;
