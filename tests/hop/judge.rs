//! Says of every record what became of it: in the topic, at the next hop, in the stores.

use crate::{
    committed::Looks,
    fleet::{Fleet, MEMBERS},
    next_hop::NextHop,
    seen::{Seen, Trace},
    traces::{FAILING, RECORDS, SPANS, Traces, of_text, threshold},
};

/// A trace whose parts were written so far apart may be decided anew: after a minute a decision may be forgotten. Milliseconds.
const APART_MAX: i64 = 50_000;
/// What a complaint names.
const NAMED_MAX: usize = 5;

/// All that is known of a run that is over.
pub(crate) struct Run<'a> {
    pub(crate) traces: Traces,
    pub(crate) count: u64,
    pub(crate) fleet: &'a Fleet,
    pub(crate) seen: &'a Seen,
    pub(crate) next_hop: &'a NextHop,
    pub(crate) looks: &'a Looks,
}

/// What a consumer's store has of a trace.
#[derive(Clone, Debug, Default)]
struct Stored {
    spans: u64,
    logs: u64,
    threshold: u64,
    /// Of each log by its body: how often it is there.
    bodies: [u32; RECORDS as usize],
}

/// What is wrong, by kind, with the first few.
#[derive(Default)]
struct Complaints(std::collections::BTreeMap<&'static str, (u64, Vec<String>)>);

impl Complaints {
    fn add(&mut self, what: &'static str, which: impl FnOnce() -> String) {
        let (times, some) = self.0.entry(what).or_default();
        *times += 1;
        if some.len() < NAMED_MAX {
            some.push(which());
        }
    }
}

/// For whoever runs it.
#[derive(Debug, Default)]
struct Counts {
    kept: u64,
    dropped: u64,
    /// Of those, the ones of which an error that came later was kept.
    late_errors: u64,
    /// Traces in more than one store, after their partition had changed hands.
    in_two_stores: u64,
    /// Written too far apart to be decided once for certain.
    apart: u64,
    copies: u64,
    sent_anew: u64,
    repeats_at_next_hop: u64,
}

pub(crate) fn judge(run: &Run<'_>) {
    let stores: Vec<Vec<Option<Stored>>> = (0..MEMBERS).map(|member| stored(run, member)).collect();
    let (mut wrong, mut counts) = (Complaints::default(), Counts::default());
    for trace in 0..run.count {
        let at = usize::try_from(trace).unwrap();
        let in_stores: Vec<(usize, &Stored)> =
            stores.iter().enumerate().filter_map(|(member, store)| Some((member, store[at].as_ref()?))).collect();
        let seen = &run.seen.traces[at];
        in_topic(trace, seen, &mut wrong, &mut counts);
        decided(run, trace, seen, &mut wrong, &mut counts);
        at_next_hop(run, trace, seen, &mut wrong, &mut counts);
        in_store(run, trace, seen, &in_stores, &mut wrong, &mut counts);
    }
    for (trace, record, below) in &run.seen.broken {
        wrong.add("a copy of what no copy was to come of", || format!("record {record} of trace {trace}, below {below}"));
    }
    let looks = run.looks;
    let (looked, partitions) = (looks.all.len(), run.seen.messages.len());
    let turns: usize = run.seen.marks.iter().map(Vec::len).sum::<usize>() - partitions;
    println!(
        "{} records of {} traces; {counts:?}
of {turns} changes of a partition's owner; {} records of decisions by those who had lost a partition did not count
{looked} offsets looked at, {} messages looked for, {} of them settled above the offset; {} offsets were less than before; {} committed too early",
        run.count * RECORDS,
        run.count,
        run.seen.overtaken,
        looks.messages,
        looks.above,
        looks.back,
        looks.early.len()
    );
    for (what, (times, some)) in &wrong.0 {
        println!("WRONG {times} times: {what}:\n  {}", some.join("\n  "));
    }
    let kinds: Vec<_> = wrong.0.iter().map(|(what, (times, _))| format!("{what}: {times}")).collect();
    assert!(kinds.is_empty(), "{kinds:#?}");
    assert!(counts.kept > 0 && counts.dropped > 0, "the rules keep some and not all: {counts:?}");
}

/// Everything was acknowledged, so all of it is there, and all of a trace in one partition.
fn in_topic(trace: u64, seen: &Trace, wrong: &mut Complaints, counts: &mut Counts) {
    for (record, lies) in seen.records.iter().enumerate() {
        if lies.offset.is_none() {
            wrong.add("acknowledged and not in the topic", || format!("record {record} of trace {trace}"));
        }
        counts.sent_anew += (lies.identities.len() as u64).saturating_sub(1);
        counts.copies += u64::from(lies.copies).saturating_sub(lies.identities.len() as u64);
    }
    if seen.partitions.len() > 1 {
        wrong.add("a trace in two partitions", || format!("{trace}: {:?}", seen.partitions));
    }
}

fn is_apart(seen: &Trace) -> bool {
    seen.written.is_some_and(|(first, last)| last - first > APART_MAX)
}

fn decided(run: &Run<'_>, trace: u64, seen: &Trace, wrong: &mut Complaints, counts: &mut Counts) {
    let hex = || format!("{trace} ({}): {seen:?}", run.traces.hex(trace));
    counts.apart += u64::from(is_apart(seen));
    match seen.decided.as_slice() {
        [] => wrong.add("a trace that nobody decided", hex),
        [one] => {
            counts.kept += u64::from(one.decision.keeps());
            counts.dropped += u64::from(!one.decision.keeps());
            let failed = seen.records[usize::try_from(FAILING).unwrap()].offset.filter(|_| Traces::fails(trace));
            let through = one.decision.through.map_or(i64::MAX, |through| i64::try_from(through.position).unwrap());
            if !one.decision.keeps() && failed.is_some_and(|offset| offset <= through) {
                wrong.add("a trace with an error that was dropped", hex);
            }
        }
        _ if is_apart(seen) => {}
        _ => wrong.add("a trace that was decided twice", hex),
    }
}

fn at_next_hop(run: &Run<'_>, trace: u64, seen: &Trace, wrong: &mut Complaints, counts: &mut Counts) {
    let arrived = run.next_hop.of(trace);
    let hex = || format!("{trace} ({}): {arrived:?}, {seen:?}", run.traces.hex(trace));
    counts.repeats_at_next_hop += u64::from(arrived.repeats);
    if let Some(torn) = arrived.torn
        && !is_apart(seen)
    {
        wrong.add("a trace with two thresholds at the next hop", || format!("{torn:x} in {}", hex()));
    }
    let Some(decision) = seen.decided.first().map(|decided| &decided.decision).filter(|_| !is_apart(seen)) else { return };
    for record in 0..RECORDS {
        match (seen.is_due(trace, record), arrived.has(record)) {
            (Some(true), false) if record == FAILING && Traces::fails(trace) => wrong.add("an error that is not at the next hop", hex),
            (Some(true), false) => wrong.add("a record of a kept trace that is not at the next hop", hex),
            (Some(false), true) => wrong.add("a record of a dropped trace at the next hop", hex),
            _ => {}
        }
    }
    // Of a trace that chance dropped what is kept stands for itself alone.
    let expected = if decision.keeps() { decision.threshold } else { 0 };
    counts.late_errors += u64::from(!decision.keeps() && arrived.records != 0);
    if arrived.threshold.is_some_and(|told| told != expected) {
        wrong.add("a trace that tells another threshold than was decided", hex);
    }
}

fn in_store(run: &Run<'_>, trace: u64, seen: &Trace, stores: &[(usize, &Stored)], wrong: &mut Complaints, counts: &mut Counts) {
    let arrived = run.next_hop.of(trace);
    let hex = || format!("{trace} ({}): {stores:?}, {arrived:?}, {seen:?}", run.traces.hex(trace));
    if stores.is_empty() != (arrived.records == 0) {
        return wrong.add("a trace in the stores or at the next hop alone", hex);
    }
    let times = |record: u64| seen.records[usize::try_from(record).unwrap()].identities.len() as u64;
    let has = |record: &u64| arrived.has(*record);
    let (spans, logs): (Vec<u64>, Vec<u64>) = (0..RECORDS).filter(has).partition(|record| SPANS.contains(record));
    // Of a late part of which only an error was kept a store tells how many there were.
    let is_kept = seen.decided.first().is_some_and(|decided| decided.decision.keeps());
    let most = |all: std::ops::Range<u64>| all.filter(|record| !is_kept || arrived.has(*record)).map(times).sum::<u64>();
    for (_, stored) in stores {
        if stored.spans > most(SPANS) || stored.logs > most(SPANS.end..RECORDS) {
            wrong.add("something twice in a store", hex);
        }
        if logs.iter().any(|log| u64::from(stored.bodies[usize::try_from(*log).unwrap()]) > times(*log)) {
            wrong.add("a log twice in a store", hex);
        }
        // Also what is kept of a trace that chance dropped.
        if seen.decided.first().is_some_and(|decided| decided.decision.threshold != stored.threshold) && !is_apart(seen) {
            wrong.add("a store that knows another threshold", hex);
        }
    }
    let all = |of: fn(&Stored) -> u64| stores.iter().map(|(_, stored)| of(stored)).sum::<u64>();
    let no_log_is_missing = logs.iter().all(|log| stores.iter().any(|(_, stored)| stored.bodies[usize::try_from(*log).unwrap()] > 0));
    if all(|stored| stored.spans) < spans.len() as u64 || all(|stored| stored.logs) < logs.len() as u64 || !no_log_is_missing {
        wrong.add("a record at the next hop that is in no store", hex);
    }
    if stores.len() > 1 {
        counts.in_two_stores += 1;
        if !was_handed_over(run, seen) {
            wrong.add("a trace in two stores that was settled before its partition changed hands", hex);
        }
    }
}

/// Whether somebody else took the partition over after the trace was decided, and before all of it was seen to be settled. A second copy counts, too: one that comes to
/// the next owner is new to its store. But it alone says nothing, since it is settled by the first one's being known.
fn was_handed_over(run: &Run<'_>, seen: &Trace) -> bool {
    let (Some(decided), Some(last), Some(partition)) = (seen.decided.first(), seen.last, seen.partitions.first()) else { return false };
    let partition = usize::try_from(*partition).unwrap();
    let offsets = || seen.records.iter().filter_map(|record| record.offset).chain([last]);
    let settled = run.looks.all.iter().find(|look| look.partition == partition && offsets().all(|offset| look.has(offset)));
    let is_before = |at: i64| settled.is_none_or(|settled| at <= settled.at);
    run.seen.marks[partition].iter().any(|mark| mark.offset > decided.offset && is_before(mark.at))
}

fn stored(run: &Run<'_>, member: usize) -> Vec<Option<Stored>> {
    let kansoku = run.fleet.members[member].as_ref().unwrap();
    let mut all = vec![None; usize::try_from(run.count).unwrap()];
    let asked = |what: &str, service: &str| {
        let answer = kit::http::get(kansoku.admin(), &format!("/api/v1/{what}?service={service}&since=24h&limit=10000")).json();
        let list = answer[what].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        assert!(list.len() < 10_000, "an answer that was cut off");
        list
    };
    for service in Traces::services(run.count) {
        for found in asked("traces", &service) {
            let id = found["trace_id"].as_str().and_then(signal::TraceId::of_hex).unwrap();
            let trace = run.traces.number(&id.0).unwrap_or_else(|| panic!("nobody sent {found}"));
            let stored = Stored {
                spans: found["span_count"].as_u64().unwrap(),
                logs: found["log_count"].as_u64().unwrap(),
                threshold: threshold(found["threshold"].as_str()),
                bodies: Default::default(),
            };
            let before = all[usize::try_from(trace).unwrap()].replace(stored);
            assert!(before.is_none(), "one trace is two: {found}, {before:?}");
        }
        for found in asked("logs", &service) {
            let (trace, record) = of_text(found["message"].as_str().unwrap()).unwrap_or_else(|| panic!("nobody sent {found}"));
            let stored: &mut Stored = all[usize::try_from(trace).unwrap()].get_or_insert_default();
            stored.bodies[usize::try_from(record).unwrap()] += 1;
        }
    }
    all
}
