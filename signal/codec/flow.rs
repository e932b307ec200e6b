//! A flow as it lies in a spill log and among dead letters (pipeline/FORMAT.md): everything but its promise. The bytes of its chunks are written from where they
//! lie; what is read back goes through `check` like everything that comes from outside.

use crate::{Ack, Batch, Chunk, Decision, Facts, Flow, Limits, Ordinals, Origin, Part, Signal, Time, Trace, TraceId, check};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};

/// What this version writes and reads.
pub const VERSION: u8 = 1;
const BATCH: u8 = 0;
const TRACES: u8 = 1;
/// Version, form, two zeros, and the records of each signal.
pub const HEAD_BYTES: usize = 16;
const HAS_ORIGIN: u8 = 1;
const HAS_LIST: u8 = 2;

/// Why a payload cannot become a flow again, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// What of a closed trace is no record.
#[derive(Serialize, Deserialize)]
struct Learned<'a> {
    part: Part,
    facts: Cow<'a, Facts>,
    decision: Option<Cow<'a, Decision>>,
    pinned: bool,
}

/// The parts of the payload, one after the other; the chunks' are those of the flow.
#[must_use]
pub fn encode(flow: &Flow) -> Vec<Bytes> {
    let mut to = Parts { done: Vec::new(), open: BytesMut::new() };
    to.open.put_slice(&[VERSION, if matches!(flow, Flow::Batch(_)) { BATCH } else { TRACES }, 0, 0]);
    flow.counts().into_iter().for_each(|records| to.number(records));
    match flow {
        Flow::Batch(batch) => to.batch(batch),
        Flow::Traces(traces) => {
            to.number(traces.len() as u64);
            traces.iter().for_each(|trace| to.trace(trace));
        }
    }
    to.finish()
}

struct Parts {
    done: Vec<Bytes>,
    open: BytesMut,
}

impl Parts {
    /// What does not fit into four bytes makes a payload beyond what any log takes.
    fn number(&mut self, n: u64) {
        self.open.put_u32_le(u32::try_from(n).unwrap_or(u32::MAX));
    }

    fn bytes(&mut self, bytes: &Bytes) {
        let head = self.open.split().freeze();
        self.done.extend([head, bytes.clone()]);
    }

    fn trace(&mut self, trace: &Trace) {
        let Trace { part, facts, decision, pinned, .. } = trace;
        let learned =
            Learned { part: *part, facts: Cow::Borrowed(&**facts), decision: decision.as_deref().map(Cow::Borrowed), pinned: *pinned };
        // Cannot fail: it is plain data. Empty, it would be unreadable and so a dead letter.
        let learned = serde_json::to_vec(&learned).unwrap_or_default();
        self.open.put_slice(&trace.id.0);
        self.number(learned.len() as u64);
        self.open.put_slice(&learned);
        self.batch(&trace.spans);
        self.batch(&trace.logs);
    }

    fn batch(&mut self, batch: &Batch) {
        self.open.put_slice(&[u8::try_from(batch.signal().number()).unwrap_or(u8::MAX), 0, 0, 0]);
        self.number(batch.chunks().len() as u64);
        batch.chunks().iter().for_each(|chunk| self.chunk(chunk));
    }

    fn chunk(&mut self, chunk: &Chunk) {
        let origin = chunk.identity();
        let (first, list): (u32, &[u32]) = match chunk.ordinals() {
            Ordinals::From(first) => (*first, &[]),
            Ordinals::These(all) => (0, all),
        };
        let flags = if origin.is_some() { HAS_ORIGIN } else { 0 } | if list.is_empty() { 0 } else { HAS_LIST };
        self.open.put_slice(&[flags, 0, 0, 0]);
        self.number(chunk.len() as u64);
        self.open.put_u64_le(chunk.arrived().0);
        let Origin { log, position } = origin.unwrap_or(Origin { log: 0, position: 0 });
        self.open.put_u32_le(log);
        self.open.put_u64_le(position);
        self.number(if list.is_empty() { u64::from(first) } else { list.len() as u64 });
        list.iter().for_each(|ordinal| self.open.put_u32_le(*ordinal));
        self.number(chunk.bytes().bytes().len() as u64);
        self.bytes(chunk.bytes().bytes());
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.done.push(self.open.freeze());
        }
        self.done
    }
}

/// How many records of each signal, in their order, a payload says it has; none where it is of another version.
#[must_use]
pub fn counts(payload: &Bytes) -> Option<[u64; 3]> {
    Reading(payload.clone()).head().ok().map(|(_, counts)| counts)
}

/// The flow again, with no promise. Refuses what is damaged, and bytes that `check` refuses.
pub fn decode(payload: Bytes) -> Result<Flow, Unreadable> {
    let mut from = Reading(payload);
    let (form, counts) = from.head()?;
    let flow = match form {
        BATCH => Flow::Batch(from.batch()?),
        TRACES => {
            let traces = from.number()?;
            let mut all = Vec::new();
            for _ in 0..traces {
                all.push(from.trace()?);
            }
            Flow::Traces(all)
        }
        other => return Err(Unreadable(format!("form {other} is not known here"))),
    };
    if !from.0.is_empty() || flow.counts() != counts {
        return Err(Unreadable("it does not hold what its head says".to_owned()));
    }
    Ok(flow)
}

/// What is left to read.
struct Reading(Bytes);

impl Reading {
    fn take(&mut self, bytes: usize) -> Result<Bytes, Unreadable> {
        if bytes > self.0.len() {
            return Err(Unreadable("it ends too early".to_owned()));
        }
        Ok(self.0.split_to(bytes))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let taken = self.take(N)?;
        <[u8; N]>::try_from(&taken[..]).map_err(|_| Unreadable("it ends too early".to_owned()))
    }

    fn number(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, Unreadable> {
        self.number().map(|n| usize::try_from(n).unwrap_or(usize::MAX))
    }

    fn head(&mut self) -> Result<(u8, [u64; 3]), Unreadable> {
        let mut head = Reading(self.take(HEAD_BYTES)?);
        let [version, form, ..] = head.array::<4>()?;
        if version != VERSION {
            return Err(Unreadable(format!("it has format version {version}, this kansoku reads {VERSION}")));
        }
        let mut counts = [0; 3];
        for records in &mut counts {
            *records = u64::from(head.number()?);
        }
        Ok((form, counts))
    }

    fn trace(&mut self) -> Result<Trace, Unreadable> {
        let id = TraceId(self.array()?);
        let length = self.length()?;
        let learned = self.take(length)?;
        let learned: Learned<'_> = serde_json::from_slice(&learned).map_err(|error| Unreadable(error.to_string()))?;
        let (spans, logs) = (self.batch()?, self.batch()?);
        if (spans.signal(), logs.signal()) != (Signal::Traces, Signal::Logs) {
            return Err(Unreadable("a trace has spans and logs, in this order".to_owned()));
        }
        let decision = learned.decision.map(|decision| Arc::new(decision.into_owned()));
        Ok(Trace {
            id,
            part: learned.part,
            spans,
            logs,
            facts: Arc::new(learned.facts.into_owned()),
            decision,
            pinned: learned.pinned,
            stateless: false,
        })
    }

    fn batch(&mut self) -> Result<Batch, Unreadable> {
        let [signal, ..] = self.array::<4>()?;
        let signal = Signal::ALL.get(usize::from(signal)).copied();
        let signal = signal.ok_or_else(|| Unreadable("it has a signal that is not known here".to_owned()))?;
        let mut batch = Batch::empty(signal);
        for _ in 0..self.number()? {
            batch.absorb(Batch::new(signal, self.chunk(signal)?, Ack::none()));
        }
        Ok(batch)
    }

    fn chunk(&mut self, signal: Signal) -> Result<Chunk, Unreadable> {
        let [flags, ..] = self.array::<4>()?;
        let records = self.length()?;
        let arrived = Time(u64::from_le_bytes(self.array()?));
        let origin = Origin { log: self.number()?, position: u64::from_le_bytes(self.array()?) };
        let origin = Some(origin).filter(|_| flags & HAS_ORIGIN != 0);
        let first = self.number()?;
        let ordinals = if flags & HAS_LIST == 0 {
            Ordinals::From(first)
        } else {
            let listed = usize::try_from(first).unwrap_or(usize::MAX).saturating_mul(4);
            let list = self.take(listed)?;
            Ordinals::These(list.chunks_exact(4).filter_map(|four| Some(u32::from_le_bytes(four.try_into().ok()?))).collect())
        };
        let length = self.length()?;
        let (checked, counts) = check(signal, self.take(length)?, &wide()).map_err(|malformed| Unreadable(malformed.to_string()))?;
        if counts.rejected > 0 || counts.records != records {
            let why = counts.why.map_or_else(|| format!("{} records where {records} should be", counts.records), |why| why.to_string());
            return Err(Unreadable(why));
        }
        Ok(Chunk::new(checked, records, origin, ordinals, arrived))
    }
}

/// What processors added may have brought a record over the limits of intake, which are for what strangers send.
fn wide() -> Limits {
    Limits {
        records_max: usize::MAX,
        attributes_max: usize::MAX,
        key_bytes_max: usize::MAX,
        record_bytes_max: usize::MAX,
        resource_bytes_max: usize::MAX,
        ..Limits::default()
    }
}
