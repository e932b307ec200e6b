//! Sends dead letters again: those of one node, or all. A letter goes once its sink has it (or its spill log, or the dead letters anew); what cannot be
//! sent is written behind the others and stays.

use crate::{
    Kind,
    dead_letters::DeadLetters,
    delivery::Delivery,
    letter::{self, records},
    payload,
    running::Shared,
    source::Stop,
};
use journal::{Entry, Log};
use serde::{Deserialize, Serialize};
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
    /// Letters given to their sinks.
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
                    let _unheard = answer.send(again(&letters, &shared.graph().deliveries, node.as_deref()).await);
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

async fn again(letters: &Arc<DeadLetters>, deliveries: &[Arc<Delivery>], node: Option<&str>) -> Result<Retried, journal::Error> {
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
            let delivery = of(&entry, deliveries, node);
            one(letters, log, delivery, entry, &mut retried).await?;
        }
    }
}

/// The sink that a letter is for, if it is asked for.
fn of<'a>(entry: &Entry, deliveries: &'a [Arc<Delivery>], node: Option<&str>) -> Option<&'a Arc<Delivery>> {
    let (about, _) = letter::decode(&entry.payload)?;
    let wanted = node.is_none_or(|node| node == about.node);
    deliveries.iter().find(|delivery| wanted && delivery.queue.account.kind == Kind::Sink && delivery.queue.account.name == about.node)
}

async fn one(
    letters: &Arc<DeadLetters>,
    log: &Log,
    delivery: Option<&Arc<Delivery>>,
    entry: Entry,
    retried: &mut Retried,
) -> Result<(), journal::Error> {
    let records = records(&entry);
    let flow = letter::decode(&entry.payload).and_then(|(_, content)| payload::decode(content).ok());
    if let (Some(delivery), Some(flow)) = (delivery, flow) {
        let promise = letters.send(log, entry.sequence, records);
        for owed in delivery.queue.again(flow, &promise) {
            delivery.queue.put_when_room(owed).await;
        }
        retried.letters += 1;
        retried.records += records.iter().sum::<u64>();
        return Ok(());
    }
    letters.move_behind(log, entry, records).await?;
    retried.kept += 1;
    Ok(())
}
