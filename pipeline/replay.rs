//! What a start learns from the journal before it reads it: the decisions made, and the downtimes, which do not count.

use crate::{
    World,
    positions::{self, Noted},
    reading::Shifts,
    repeats::{BODIES_MAX, Body, Known, Repeats},
    settling::CURSOR,
};
use journal::{Header, Kind, Log, Reader, blocked};
use signal::{Decision, Signal, Time};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How long a decision lives at least.
const LATE: Duration = Duration::from_secs(60);

/// What earlier processes left.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) decisions: Vec<Decision>,
    pub(crate) shifts: Shifts,
    /// Requests of the last minute, which clients that heard no answer send again.
    pub(crate) repeats: Repeats,
    /// How far sources had read.
    pub(crate) positions: Noted,
    /// The number after the last record of an earlier process.
    pub(crate) next: u64,
    /// And after the last request among those.
    pub(crate) through: u64,
}

/// Reads what is kept of the journal once, and marks this start in it.
pub(crate) async fn remember(log: &Arc<Log>, world: &World) -> Result<Remembered, journal::Error> {
    let next = log.next();
    let reader = log.reader(log.first()).at_once();
    let cursor = log.cursor(CURSOR);
    let read = blocked(&world.blocking, move || read(reader, next, cursor)).await;
    let Some(read) = read else { return Ok(Remembered { next, ..Remembered::default() }) };
    let Left { decisions, bodies, positions, mut gaps, last, through } = read?;
    let now = world.clock.now();
    if let Some(last) = last {
        gaps.push((next, between(last, now)));
    }
    let header = Header { kind: Kind::Mark, source: 0, signal: 0, items: 0, arrived: now.0 };
    // A journal that is full or fails takes no mark; it is only missed at the start after the next.
    if let Err(error) = log.append(header, &[]) {
        tracing::warn!(%error, "cannot mark the start in the journal");
    }
    let shifts = Shifts(gaps);
    let decisions = decisions.into_iter().map(|(sequence, decision)| Decision { at: shifts.shifted(sequence, decision.at), ..decision });
    let decisions = decisions.collect();
    let mut repeats = Repeats::default();
    bodies
        .into_iter()
        .for_each(|(sequence, body, stamp)| repeats.remember(body, Known::Journal(sequence), shifts.shifted(sequence, stamp)));
    Ok(Remembered { decisions, shifts, repeats, positions, next, through })
}

/// Nanoseconds from one time to another, either way.
fn between(from: Time, to: Time) -> i64 {
    let apart = |nanos: u64| i64::try_from(nanos).unwrap_or(i64::MAX);
    if to >= from { apart(to.0 - from.0) } else { -apart(from.0 - to.0) }
}

/// What was read.
struct Left {
    decisions: Vec<(u64, Decision)>,
    /// The last requests.
    bodies: VecDeque<(u64, Body, Time)>,
    positions: Noted,
    /// Before each start: its number, and how long nothing had come.
    gaps: Vec<(u64, i64)>,
    /// The last stamp.
    last: Option<Time>,
    /// The number after the last request.
    through: u64,
}

fn read(mut reader: Reader, next: u64, cursor: u64) -> Result<Left, journal::Error> {
    let mut left =
        Left { decisions: Vec::new(), bodies: VecDeque::new(), positions: Noted::new(), gaps: Vec::new(), last: None, through: 0 };
    // A position holds with the data behind it; what was not taken in moved nothing.
    let mut pending: HashMap<u16, bytes::Bytes> = HashMap::new();
    while let Some(entry) = reader.next()?.filter(|entry| entry.sequence < next) {
        let stamp = Time(entry.header.arrived);
        match entry.header.kind {
            Kind::Data => {
                let signal = Signal::ALL.get(usize::from(entry.header.signal));
                left.bodies.extend(signal.map(|signal| (entry.sequence, Body::journalled(*signal, &entry.payload), stamp)));
                left.through = entry.sequence + 1;
                if let Some(payload) = pending.remove(&entry.header.source) {
                    positions::noted(&mut left.positions, (entry.header.source, entry.sequence), &payload, &entry.payload);
                }
                if left.bodies.len() > BODIES_MAX {
                    left.bodies.pop_front();
                }
            }
            Kind::Decision => match serde_json::from_slice::<Vec<Decision>>(&entry.payload) {
                Ok(decisions) => left.decisions.extend(decisions.into_iter().map(|decision| (entry.sequence, decision))),
                Err(error) => tracing::error!(sequence = entry.sequence, %error, "a decision in the journal cannot be read"),
            },
            Kind::Position => drop(pending.insert(entry.header.source, entry.payload)),
            Kind::Mark => left.gaps.extend(left.last.map(|last| (entry.sequence, between(last, stamp)))),
        }
        left.last = Some(stamp);
    }
    // A decision matters for records that are read again, and for those that may still come late.
    let (recent, shifts) = (left.last.unwrap_or_default().minus(LATE), Shifts(left.gaps.clone()));
    let late = |sequence: u64, decision: &Decision| shifts.shifted(sequence, decision.at) >= recent;
    let needed = |decision: &Decision| decision.through.is_none_or(|through| through.position >= cursor);
    left.decisions.retain(|(sequence, decision)| late(*sequence, decision) || needed(decision));
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::{Blocking, Options, simulated::SimulatedDisk};
    use signal::{Origin, TraceId};
    use std::path::Path;

    const SECOND: u64 = 1_000_000_000;

    #[tokio::test]
    async fn a_decision_lives_a_minute_in_which_downtime_does_not_count() {
        let inline: Blocking = Arc::new(|work| work());
        let (log, _) = Log::open(Arc::new(SimulatedDisk::new()), Path::new("/j"), Options::default(), inline).unwrap();
        let append = |kind, at: u64, payload: String| {
            let header = Header { kind, source: 0, signal: 0, items: 0, arrived: at * SECOND };
            log.append(header, &[payload.into()]).unwrap()
        };
        let decided = |at: u64| {
            let through = Some(Origin { log: log.id(), position: 1 });
            let decision = Decision {
                trace_id: TraceId([7; 16]),
                threshold: 0,
                node: "kept".into(),
                rule: "all".into(),
                through,
                pinned: false,
                at: Time(at * SECOND),
                randomness: None,
            };
            serde_json::to_string(&[decision]).unwrap()
        };
        append(Kind::Decision, 100, decided(100));
        append(Kind::Decision, 1_000, decided(1_000));
        append(Kind::Mark, 90_000, String::new());
        let last = append(Kind::Data, 90_050, String::new());
        log.committed(last).await.unwrap();
        let left = read(log.reader(0), log.next(), log.next()).unwrap();
        let kept: Vec<Time> = left.decisions.iter().map(|(_, decision)| decision.at).collect();
        assert_eq!(kept, [Time(1_000 * SECOND)]);
    }
}
