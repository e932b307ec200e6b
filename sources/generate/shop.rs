//! When visits begin and when each service exports: a state machine over time, without a clock of its own.

use super::{
    Incident,
    journey::{self, Kind, Told},
    numbers::Numbers,
    random::Random,
    service::Service,
};
use bytes::Bytes;
use opentelemetry_proto::tonic::{logs::v1::LogRecord, trace::v1::Span};
use signal::{Signal, Time};
use std::time::Duration;

/// What the shop is to be like.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) traces_per_second: u32,
    pub(super) errors: f64,
    pub(super) slow: f64,
    pub(super) incident: Option<Incident>,
    pub(super) seed: u64,
    pub(super) traces_max: u64,
}

/// One OTLP request of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Export {
    pub(super) signal: Signal,
    pub(super) request: Bytes,
}

/// A record, exported by its service after it has ended.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) service: Service,
    pub(super) ended: u64,
    pub(super) record: Record,
}

#[derive(Debug)]
pub(super) enum Record {
    Span(Span),
    Log(LogRecord),
}

/// The shop.
pub(super) struct Shop {
    plan: Plan,
    random: Random,
    opened: Time,
    visits: u64,
    pending: Vec<Pending>,
    numbers: Numbers,
    /// When each service exports next, in the order of `Service::ALL`.
    exports: [Time; 4],
    measures: Time,
}

/// Between two exports of one service; the four take turns, so that a trace never comes in one request.
const EXPORT: Duration = Duration::from_millis(400);
const MEASURE: Duration = Duration::from_secs(10);
/// Visits begun in one tick: after a pause (a suspended machine) the rest is left out.
const BURST_MAX: u64 = 2_000;
const STOCK: i64 = 5_000;

impl Shop {
    pub(super) fn open(plan: Plan, now: Time) -> Shop {
        let turn = |n: u32| now.plus(EXPORT * n / 4);
        Shop {
            random: Random::new(plan.seed),
            plan,
            opened: now,
            visits: 0,
            pending: Vec::new(),
            numbers: Numbers { stock: STOCK, ..Numbers::default() },
            exports: [turn(1), turn(2), turn(3), turn(4)],
            measures: now.plus(Duration::from_secs(1)),
        }
    }

    /// Visits begun so far.
    pub(super) fn visits(&self) -> u64 {
        self.visits
    }

    /// Begins the visits that are due and exports what is due.
    pub(super) fn tick(&mut self, now: Time) -> Vec<Export> {
        self.begin_visits(now);
        let mut exports = Vec::new();
        for (n, service) in Service::ALL.into_iter().enumerate() {
            if self.exports.get(n).is_some_and(|due| *due <= now) {
                self.export(service, now, &mut exports);
                if let Some(due) = self.exports.get_mut(n) {
                    // Keeps its turn after a pause instead of catching up.
                    *due = due.plus(EXPORT).max(now.plus(EXPORT / 2));
                }
            }
        }
        if self.measures <= now {
            self.measures = now.plus(MEASURE);
            self.measure(now, &mut exports);
        }
        exports
    }

    /// Everything that was begun, told to its end, and the last numbers.
    pub(super) fn close(&mut self) -> Vec<Export> {
        let mut exports = Vec::new();
        for service in Service::ALL {
            self.export(service, Time(u64::MAX), &mut exports);
        }
        let last = self.exports.into_iter().max().unwrap_or_default();
        self.measure(last, &mut exports);
        exports
    }

    fn begin_visits(&mut self, now: Time) {
        let per_second = u64::from(self.plan.traces_per_second.max(1));
        let due = u128::from(per_second) * now.since(self.opened).as_nanos() / 1_000_000_000;
        let due = u64::try_from(due).unwrap_or(u64::MAX).min(self.plan.traces_max);
        let begun = due.saturating_sub(self.visits);
        for n in begun.saturating_sub(BURST_MAX)..begun {
            let visit = self.visits.saturating_add(n);
            let offset = u128::from(visit) * 1_000_000_000 / u128::from(per_second);
            let start = self.opened.0.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX));
            let kind = self.kind(self.errors(Time(start).since(self.opened)));
            let Told { records, seconds } = journey::tell(kind, start, &mut self.random);
            self.pending.extend(records);
            match kind {
                Kind::Browse => self.numbers.browsing.add(seconds),
                Kind::Buy | Kind::Slow | Kind::Declined => self.numbers.buying.add(seconds),
            }
            self.count(kind);
        }
        self.visits = self.visits.max(due);
    }

    /// The share of declined payments this long after the opening.
    fn errors(&self, open: Duration) -> f64 {
        let Some(incident) = &self.plan.incident else { return self.plan.errors };
        let (every, lasts) = (incident.every.0.as_nanos().max(1), incident.lasts.0.as_nanos());
        let (phase, calm) = (open.as_nanos() % every, every.saturating_sub(lasts) / 2);
        if (calm..calm.saturating_add(lasts)).contains(&phase) { incident.errors.0 } else { self.plan.errors }
    }

    fn kind(&mut self, errors: f64) -> Kind {
        let share = self.random.share();
        if share < errors {
            Kind::Declined
        } else if share < errors + self.plan.slow {
            Kind::Slow
        } else if self.random.share() < 0.5 {
            Kind::Buy
        } else {
            Kind::Browse
        }
    }

    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Browse => {}
            Kind::Declined => self.numbers.declined += 1,
            Kind::Buy | Kind::Slow => {
                self.numbers.placed += 1;
                self.numbers.stock = if self.numbers.stock > 1 { self.numbers.stock - 1 } else { STOCK };
            }
        }
    }

    fn export(&mut self, service: Service, now: Time, exports: &mut Vec<Export>) {
        let (mut spans, mut logs) = (Vec::new(), Vec::new());
        for done in self.pending.extract_if(.., |pending| pending.service == service && pending.ended <= now.0) {
            match done.record {
                Record::Span(span) => spans.push(span),
                Record::Log(log) => logs.push(log),
            }
        }
        if !spans.is_empty() {
            exports.push(Export { signal: Signal::Traces, request: service.export_spans(spans).into() });
        }
        if !logs.is_empty() {
            exports.push(Export { signal: Signal::Logs, request: service.export_logs(logs).into() });
        }
    }

    fn measure(&self, now: Time, exports: &mut Vec<Export>) {
        for service in Service::ALL {
            let metrics = self.numbers.metrics(service, self.opened.0, now.0);
            exports.push(Export { signal: Signal::Metrics, request: service.export_metrics(metrics).into() });
        }
    }
}

#[cfg(test)]
mod tests;
