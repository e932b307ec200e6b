//! The tasks of a pipeline beside its lanes (`crew.rs`): a source or the work of a sink that ends before it should is begun again with backoff, and said.

use crate::{
    Intake, Partitions, Positions, Sink, Source, SourceContext, Stop, assemble::Blueprint, backoff::Backoff, delivery::Delivery,
    running::Shared, settling::CURSOR, spill,
};
use config::Fault;
use futures::FutureExt;
use journal::Log;
use signal::Origin;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::sleep;

/// How often sinks are told what is settled for good.
const SETTLED_EVERY: Duration = Duration::from_secs(10);
/// How often they are told how far behind they are.
const LAG_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn whats(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.what.as_str()).collect()
}

/// Runs of a source, until it is told to stop.
pub(crate) async fn source(
    blueprint: Arc<Blueprint>,
    at: usize,
    first: Box<dyn Source>,
    (intake, positions, partitions): (Intake, Positions, Partitions),
    stop: Stop,
) {
    let name = &blueprint.plan.nodes[at].name;
    let (mut backoff, mut part) = (Backoff::new(name), Some(first));
    while !stop.is_asked() {
        if let Some(part) = part.take() {
            let context = SourceContext {
                intake: intake.clone(),
                stop: stop.clone(),
                clock: blueprint.world.clock.clone(),
                positions: positions.clone(),
                partitions: partitions.clone(),
            };
            match AssertUnwindSafe(part.run(context)).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::error!(node = name, %error, "the source ended and begins again"),
                Err(_panic) => tracing::error!(node = name, "the source panicked: this is a defect; it begins again"),
            }
        }
        tokio::select! {
            () = sleep(backoff.next()) => {}
            () = stop.asked() => return,
        }
        match blueprint.source(at) {
            Ok(mut built) => match built.open().await {
                Ok(_) => part = Some(built),
                Err(faults) => tracing::error!(node = name, why = ?whats(&faults), "the source cannot be opened again"),
            },
            Err(faults) => tracing::error!(node = name, why = ?whats(&faults), "the source cannot be built again"),
        }
    }
}

/// Tells sinks what will never come again.
pub(crate) async fn settled(log: Arc<Log>, shared: Arc<Shared>, stop: Stop) {
    let mut told = 0;
    loop {
        tokio::select! {
            () = sleep(SETTLED_EVERY) => {}
            () = stop.asked() => return,
        }
        let cursor = log.cursor(CURSOR);
        let Some(position) = cursor.checked_sub(1).filter(|_| cursor > told) else { continue };
        // In memory alone the cursor would go back with a crash.
        match log.flush().await {
            Ok(()) => {
                tell_settled(&shared.graph().deliveries, &[Origin { log: log.id(), position }]).await;
                told = cursor;
            }
            Err(error) => tracing::warn!(%error, "cannot save how far the journal was read"),
        }
    }
}

/// Nothing of these logs at or below these positions comes again.
pub(crate) async fn tell_settled(deliveries: &[Arc<Delivery>], last: &[Origin]) {
    for delivery in deliveries {
        // What was settled because it lies in the sink's own log does come again.
        if spill::is_over(delivery.spill.as_deref()).await {
            last.iter().for_each(|last| delivery.sink().settled(last.log, last.position));
        }
    }
}

/// Tells sinks how far behind the clock they are: what no lane has read yet, and what waits in their queues.
pub(crate) async fn lag(shared: Arc<Shared>, stop: Stop) {
    loop {
        tokio::select! {
            () = sleep(LAG_EVERY) => {}
            () = stop.asked() => return,
        }
        let graph = shared.graph();
        let unread = graph.journal().map_or(0.0, |journal| journal.lag_seconds);
        for delivery in &graph.deliveries {
            delivery.sink().lags(Duration::try_from_secs_f64(unread + delivery.queue.fill().oldest_seconds).unwrap_or_default());
        }
    }
}

/// Runs of a sink's own work, until it is told to stop.
pub(crate) async fn sink(name: String, part: Arc<dyn Sink>, stop: Stop) {
    let mut backoff = Backoff::new(&name);
    loop {
        match AssertUnwindSafe(part.run(stop.clone())).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(node = name, %error, "the sink's own work ended and begins again"),
            Err(_panic) => tracing::error!(node = name, "the sink's own work panicked: this is a defect; it begins again"),
        }
        tokio::select! {
            () = sleep(backoff.next()) => {}
            () = stop.asked() => return,
        }
    }
}
