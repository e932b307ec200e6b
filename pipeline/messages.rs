//! A partition as a stream: messages in their order, each checked once. What cannot be read goes to the dead letters and holds nothing up.

use crate::{
    Clock, Reason,
    dead_letters::DeadLetters,
    handed::{Handed, Parted, Standing},
    kept::Partitioned,
    ledger::{Account, Fate, Posting},
    letter::{About, Content},
    stream::Idle,
    tail::SourceKey,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream::BoxStream};
use signal::{
    Ack, Batch, Checked, Chunk, Counts, Identities, Limits, Malformed, Ordinals, Origin, Signal, Time, check,
    codec::origins::{Origins, Settled},
};
use std::{future::pending, sync::Arc, time::Duration};
use xxhash_rust::xxh3::xxh3_64;

/// At a partition's end its time is so far behind the wall: what was written just now takes a moment to be read, and nothing may be due before it.
const GRACE: Duration = Duration::from_secs(1);

/// One of a partition.
#[derive(Debug)]
pub struct Message {
    /// Its place there.
    pub position: u64,
    /// When it came there.
    pub at: Time,
    /// What is in it.
    pub said: Said,
    /// Where its records come from (`signal::codec::origins`), where whoever wrote it says so.
    pub origins: Option<Bytes>,
}

/// What is in a message.
#[derive(Debug)]
pub enum Said {
    /// A request as it flows, not checked yet.
    Request(Signal, Bytes),
    /// Something that nobody can read: what it would have been, its bytes, and what is wrong.
    Unreadable(Signal, Bytes, Malformed),
    /// Nothing.
    Nothing,
}

/// What comes of a partition.
#[derive(Debug)]
pub enum Came {
    /// The next message.
    Message(Message),
    /// There is none at the moment: what is read now is the end, and its time follows the wall's.
    End,
    /// Nobody knows whether there is more: the partition's time stands still.
    Unsure,
}

/// The messages of a partition, in order.
pub type Messages = BoxStream<'static, Came>;

/// What a sender's journal is called in this partition: what of it is settled is known partition by partition.
fn known_as(log: u32, partition: u32) -> u32 {
    let [a, b, c, d, ..] = xxh3_64(&[log.to_le_bytes(), partition.to_le_bytes()].concat()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A partition that is being read.
pub(crate) struct Reading {
    pub(crate) source: SourceKey,
    pub(crate) account: Arc<Account>,
    pub(crate) messages: Messages,
    pub(crate) partition: Arc<Partitioned>,
    pub(crate) letters: Option<Arc<DeadLetters>>,
    pub(crate) clock: Clock,
    front: Option<Message>,
    at_end: bool,
    /// Records that came with their origins, since whoever sent them may have sent them twice.
    known: Identities,
    /// The stamp of the last message. Time never goes back in a stream, whatever the clocks of those who write.
    last: Time,
}

impl Reading {
    pub(crate) fn new(
        (source, account): (SourceKey, Arc<Account>),
        messages: Messages,
        partition: Arc<Partitioned>,
        letters: Option<Arc<DeadLetters>>,
        clock: Clock,
    ) -> Reading {
        Reading {
            source,
            account,
            messages,
            partition,
            letters,
            clock,
            front: None,
            at_end: false,
            known: Identities::default(),
            last: Time::default(),
        }
    }

    pub(crate) fn idle(&mut self) -> Idle {
        while self.front.is_none() {
            let Some(came) = self.messages.next().now_or_never() else { break };
            if !self.take(came) {
                break;
            }
        }
        match self.front {
            Some(_) => Idle::No,
            None if self.at_end => Idle::At(self.clock.now().minus(GRACE)),
            None => Idle::Behind,
        }
    }

    pub(crate) async fn news(&mut self) {
        if self.front.is_none() {
            let came = self.messages.next().await;
            if !self.take(came) {
                pending::<()>().await;
            }
        }
    }

    /// False once nothing comes any more: whoever has the partition ends it.
    fn take(&mut self, came: Option<Came>) -> bool {
        match came {
            None => return false,
            Some(Came::Message(message)) => {
                self.at_end = false;
                // Most are settled already where their owner before was ahead of its watermark.
                if self.partition.marks.is_done(message.position) {
                    self.remember(&message);
                } else {
                    self.front = Some(message);
                }
            }
            Some(Came::End) => self.at_end = true,
            Some(Came::Unsure) => self.at_end = false,
        }
        true
    }

    /// # Cancel safety
    /// Only for a partition that is cut off.
    pub(crate) async fn next(&mut self) -> Option<Handed> {
        let Message { position, at, said, origins } = self.front.take()?;
        self.last = self.last.max(at.min(self.clock.now()));
        let (signal, raw) = match said {
            Said::Request(signal, raw) => (signal, raw),
            Said::Unreadable(signal, raw, why) => {
                self.bury(position, (signal, raw), &why).await;
                return None;
            }
            Said::Nothing => {
                self.pass(position);
                return None;
            }
        };
        match check(signal, raw.clone(), &Limits::default()) {
            Ok((checked, counts)) => self.hand(position, signal, checked, &counts, origins.as_deref()),
            Err(why) => {
                self.bury(position, (signal, raw), &why).await;
                None
            }
        }
    }

    fn hand(&mut self, position: u64, signal: Signal, checked: Checked, counts: &Counts, origins: Option<&[u8]>) -> Option<Handed> {
        if counts.rejected > 0 {
            let mut posting = Posting::default();
            posting.taken[signal.number()] = counts.rejected as u64;
            posting.end(Fate::Rejected, signal, Reason::CUT, counts.rejected as u64);
            self.account.post(&posting);
        }
        if counts.records == 0 {
            self.pass(position);
            return None;
        }
        let chunks = self.told(position, signal, &checked, counts, origins);
        let records = chunks.as_ref().map_or(counts.records, |chunks| chunks.0.iter().map(Chunk::len).sum());
        if records == 0 {
            self.pass(position);
            return None;
        }
        Some(Handed {
            source: self.source,
            account: Arc::clone(&self.account),
            signal,
            checked,
            chunks,
            records,
            arrived: self.last,
            position: Some(position),
            waiter: None,
            admission: None,
            standing: Standing::Before,
        })
    }

    /// A message's records with where they were written first, without those that came before: a sender that ended before it heard that they were taken sends them again.
    fn told(&mut self, position: u64, signal: Signal, checked: &Checked, counts: &Counts, origins: Option<&[u8]>) -> Option<Box<Parted>> {
        let (pieces, settled) = self.pieces(position, signal, checked, counts, origins)?;
        let mut chunks = Vec::new();
        for chunk in pieces {
            let repeats = chunk.before().and_then(|_| self.known.note(signal, &chunk));
            let mut batch = Batch::new(signal, chunk, Ack::none());
            if let Some(repeats) = repeats {
                let mut marks = repeats.into_iter();
                let gone = batch.retain(|_| !marks.next().unwrap_or(false));
                let mut posting = Posting::default();
                posting.taken[signal.number()] = gone as u64;
                posting.end(Fate::Discarded, signal, Reason::REPEAT, gone as u64);
                self.account.post(&posting);
            }
            chunks.extend(batch.chunks().iter().filter(|chunk| !chunk.is_empty()).cloned());
        }
        for last in settled {
            self.known.settled(last.log, last.position);
            self.partition.marks.tell(position, last);
        }
        Some(Box::new(Parted(chunks)))
    }

    /// A message that an owner before has settled: of its records a second copy may still come.
    fn remember(&mut self, Message { position, said, origins, .. }: &Message) {
        let Said::Request(signal, raw) = said else { return };
        let Ok((checked, counts)) = check(*signal, raw.clone(), &Limits::default()) else { return };
        let Some((pieces, settled)) = self.pieces(*position, *signal, &checked, &counts, origins.as_deref()) else { return };
        for chunk in pieces.iter().filter(|chunk| chunk.before().is_some()) {
            self.known.add(*signal, chunk);
        }
        settled.iter().for_each(|last| self.known.settled(last.log, last.position));
    }

    /// A message in pieces by where they were written first, where it says so; and of which entries nothing comes again.
    fn pieces(
        &self,
        position: u64,
        signal: Signal,
        checked: &Checked,
        counts: &Counts,
        origins: Option<&[u8]>,
    ) -> Option<(Vec<Chunk>, Vec<Origin>)> {
        let header = origins.filter(|_| counts.rejected == 0)?;
        let origins =
            Origins::decode(header, counts.records).inspect_err(|why| tracing::debug!(position, %why, "an origin cannot be read")).ok()?;
        let here = self.partition.id;
        let last = |settled: &Settled| Some(Origin { log: known_as(settled.log, here), position: settled.below.checked_sub(1)? });
        let settled = origins.settled.iter().filter_map(last).collect();
        let origin = Origin { log: here, position };
        let chunk = Chunk::new(checked.clone(), counts.records, Some(origin), Ordinals::From(0), self.last);
        Some((origins.part(signal, chunk, |log| known_as(log, here)), settled))
    }

    /// A message with nothing in it.
    fn pass(&self, position: u64) {
        self.partition.marks.begin(position);
        self.partition.marks.settle(position);
    }

    /// It would come again for ever: it goes to the dead letters, where there is a disk, is counted in any case, and is settled.
    async fn bury(&mut self, position: u64, (signal, raw): (Signal, Bytes), why: &Malformed) {
        let (node, mut one) = (&self.account.name, [0; 3]);
        one[signal.number()] = 1;
        tracing::warn!(node, position, %why, "a message cannot be read");
        self.partition.marks.begin(position);
        if let Some(letters) = &self.letters {
            let about = About::new(node, Reason::MALFORMED, &why.to_string(), self.clock.now());
            let _kept = letters.bury(&about, &Content::unreadable(raw, one), pending()).await;
        }
        let mut posting = Posting::taking(one);
        posting.end_all(Fate::Rejected, Reason::MALFORMED, one);
        self.account.post(&posting);
        self.partition.marks.settle(position);
    }
}
