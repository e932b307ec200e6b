//! Sends dead letters again: those of one node, or all. One of a sink goes once that has it (or its spill log, or the dead letters anew); one of a source, at which
//! lanes fell, once it is in the journal again, from which it takes the whole way. What cannot be sent is written behind the others and stays.

use crate::{
    Kind,
    dead_letters::DeadLetters,
    delivery::Delivery,
    handed::{Handed, Standing},
    intake::Way,
    ledger::Posting,
    letter::{self, records},
    running::{Inner, Shared},
    source::Stop,
    tail::{KnownSource, SourceKey, Tail},
};
use journal::{Entry, Log};
use serde::{Deserialize, Serialize};
use signal::{Flow, Outcome, codec::flow};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

/// Letters read at once.
const READ_LETTERS: usize = 64;
/// How often it is written down which letters are gone, so that who lists them does not see them.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// What came of sending dead letters again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// Letters given to their sinks, or put into the journal again.
    pub letters: u64,
    /// Records in them.
    pub records: u64,
    /// Letters that stay: of other nodes, of nodes that are not in the pipeline, or unreadable.
    pub kept: u64,
}

/// Somebody asks.
pub(crate) struct Asked {
    /// Only of this node.
    pub(crate) node: Option<String>,
    pub(crate) answer: oneshot::Sender<Result<Retried, journal::Error>>,
}

/// Answers one after the other and saves what is gone, until it is told to stop.
pub(crate) async fn serve(letters: Arc<DeadLetters>, shared: Arc<Shared>, mut asked: mpsc::Receiver<Asked>, stop: Stop) {
    let work = async {
        loop {
            tokio::select! {
                Some(Asked { node, answer }) = asked.recv() => {
                    // An error means that whoever asked went away.
                    let _unheard = answer.send(again(&letters, &shared.graph(), node.as_deref()).await);
                }
                () = sleep(SAVE_EVERY) => letters.save().await,
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = stop.asked() => {}
    }
}

async fn again(letters: &Arc<DeadLetters>, graph: &Inner, node: Option<&str>) -> Result<Retried, journal::Error> {
    let mut retried = Retried::default();
    let Some(log) = letters.log.left().await? else { return Ok(retried) };
    // Those that come meanwhile are not sent again at once.
    let end = log.synced();
    let mut reader = log.reader(letters.sent(log));
    loop {
        let read = letters.read(move || {
            let mut entries = Vec::new();
            while entries.len() < READ_LETTERS
                && let Some(entry) = reader.next()?.filter(|entry| entry.sequence < end)
            {
                entries.push(entry);
            }
            Ok((reader, entries))
        });
        let Some(read) = read.await else { return Ok(retried) };
        let (rest, entries) = read?;
        if entries.is_empty() {
            return Ok(retried);
        }
        reader = rest;
        for entry in entries {
            let goal = of(&entry, graph, node);
            one(letters, log, goal, entry, &mut retried).await?;
        }
    }
}

/// Where a letter goes again.
enum Goal<'a> {
    Sink(&'a Arc<Delivery>),
    Source(&'a Tail, KnownSource),
}

/// Where a letter goes, if it is asked for and its node is in the graph.
fn of<'a>(entry: &Entry, graph: &'a Inner, node: Option<&str>) -> Option<Goal<'a>> {
    let (about, _) = letter::decode(&entry.payload)?;
    let (name, account) = (about.node.as_str(), graph.blueprint.plan.nodes.iter().zip(&graph.blueprint.ledger.0));
    let (node, account) = account.into_iter().find(|(other, _)| other.name == name && node.is_none_or(|node| node == name))?;
    match (node.kind, &graph.entrance.way) {
        (Kind::Sink, _) => graph.deliveries.iter().find(|delivery| delivery.queue.account.name == name).map(Goal::Sink),
        (Kind::Source, Way::Journal(tail)) => Some(Goal::Source(tail, (SourceKey::of(name), Arc::clone(account)))),
        (Kind::Source | Kind::Processor, _) => None,
    }
}

async fn one(
    letters: &Arc<DeadLetters>,
    log: &Log,
    goal: Option<Goal<'_>>,
    entry: Entry,
    retried: &mut Retried,
) -> Result<(), journal::Error> {
    let records = records(&entry);
    let flow = letter::decode(&entry.payload).and_then(|(_, content)| flow::decode(content).ok());
    let sent = match (goal, flow) {
        (Some(Goal::Sink(delivery)), Some(flow)) => {
            letters.give_again(&letter::prints_of(&entry));
            let promise = letters.send(entry.sequence, records);
            for owed in delivery.queue.again(flow, &promise) {
                delivery.queue.put_when_room(owed).await;
            }
            true
        }
        (Some(Goal::Source(tail, source)), Some(flow)) => match into_journal(tail, &source, &flow) {
            Some(last) => {
                let promise = letters.send(entry.sequence, records);
                if tail.committed(last).await.is_err() {
                    promise.record(Outcome::Lost);
                }
                true
            }
            None => false,
        },
        (None, _) | (_, None) => false,
    };
    if sent {
        retried.letters += 1;
        retried.records += records.iter().sum::<u64>();
        return Ok(());
    }
    letters.move_behind(log, entry, records).await?;
    retried.kept += 1;
    Ok(())
}

/// Takes what a source took in before into the journal again, behind everything that came since. The number of the last record; none where the journal is full.
fn into_journal(tail: &Tail, (source, account): &KnownSource, flow: &Flow) -> Option<u64> {
    let mut last = None;
    for batch in flow.batches() {
        for chunk in batch.chunks() {
            let handed = Handed {
                source: *source,
                account: Arc::clone(account),
                signal: batch.signal(),
                checked: chunk.bytes().clone(),
                chunks: None,
                records: chunk.len(),
                arrived: chunk.arrived(),
                position: None,
                waiter: None,
                admission: None,
                standing: Standing::Held,
            };
            // It was rejected before, so it comes up anew.
            let mut posting = Posting { made: flow.counts(), ..Posting::default() };
            posting.hold([0; 3], posting.made);
            last = Some(tail.append(handed, None, || account.post(&posting)).ok()?);
        }
    }
    last
}
