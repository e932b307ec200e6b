//! A small shop that makes telemetry as four services would: frontend, checkout, payment, inventory. The same seed and clock make the same shop.

mod journey;
mod numbers;
mod random;
mod service;
mod shop;

use bytes::Bytes;
use config::{Fault, Period, Placed, Share};
use futures::future::{BoxFuture, Either, select};
use pipeline::{BuildContext, Caller, Component, Intake, Opened, Refused, Shape, Source, SourceContext, SourceError, Stop};
use schemars::JsonSchema;
use serde::Deserialize;
use shop::{Export, Plan, Shop};
use signal::{Kinds, Signal, Time};
use std::{pin::pin, time::Duration};
use tokio::time::sleep;

/// Makes the telemetry of a small shop, for a first look and for tests: traces through four services with their logs and metrics, some failing, some slow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(default)]
pub struct Generate {
    /// Visits a second, each one trace of four to nine spans; 1 to 10000, by default 10.
    traces_per_second: Placed<u32>,
    /// Share of visits whose payment is declined, by default `5%`.
    errors: Placed<Share>,
    /// Share of visits that wait for a lock in the inventory, by default `5%`.
    slow: Placed<Share>,
    /// A time of trouble that comes back: the payment provider is down.
    incident: Option<Incident>,
    /// Where chance starts: the same seed makes the same visits, trace ids included. Without it every start makes others.
    seed: Option<u64>,
    /// After so many visits it makes no more; without it, it goes on.
    traces_max: Option<u64>,
}

/// When more payments are declined than usual.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct Incident {
    /// How often it comes.
    every: Period,
    /// How long it lasts, in the middle of each `every`.
    lasts: Period,
    /// Share of visits whose payment is declined while it lasts.
    errors: Share,
}

impl Default for Generate {
    fn default() -> Generate {
        let share = |share| Placed::nowhere(Share(share));
        Generate {
            traces_per_second: Placed::nowhere(10),
            errors: share(0.05),
            slow: share(0.05),
            incident: None,
            seed: None,
            traces_max: None,
        }
    }
}

impl Component for Generate {
    type Runs = dyn Source;
    const TYPE: &'static str = "generate";
    const EXAMPLE: &'static str = "traces_per_second: 50\nerrors: 5%\nslow: 5%\nseed: 7\n";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { gives: Kinds::RECORDS, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        let mut faults = Vec::new();
        if !(1..=10_000).contains(&*self.traces_per_second) {
            faults.push(self.traces_per_second.fault("`traces_per_second` must be 1 to 10000"));
        }
        if self.errors.0 + self.slow.0 > 1.0 {
            faults.push(self.slow.fault("`errors` and `slow` are more than 100% together"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let plan = Plan {
            traces_per_second: *self.traces_per_second,
            errors: self.errors.0,
            slow: self.slow.0,
            incident: self.incident,
            seed: self.seed.unwrap_or(context.clock.now().0),
            traces_max: self.traces_max.unwrap_or(u64::MAX),
        };
        Ok(Box::new(Generating { plan }))
    }
}

/// All that the shop says in a stretch of time, as its services export it and when: for measurements that need no process.
#[must_use]
pub fn said(traces_per_second: u32, seed: u64, opened: Time, length: Duration) -> Vec<(Time, Signal, Bytes)> {
    let plan = Plan { traces_per_second, errors: 0.05, slow: 0.05, incident: None, seed, traces_max: u64::MAX };
    let mut shop = Shop::open(plan, opened);
    let (mut now, mut said) = (opened, Vec::new());
    while now.since(opened) < length {
        now = now.plus(TICK);
        said.extend(shop.tick(now).into_iter().map(|export| (now, export.signal, export.request)));
    }
    said
}

struct Generating {
    plan: Plan,
}

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(50);

impl Source for Generating {
    fn open(&mut self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        let what = format!("a shop with {} visits a second", self.plan.traces_per_second);
        Box::pin(async { Ok(vec![Opened::new("generates", what)]) })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let SourceContext { intake, stop, clock, .. } = context;
            let mut shop = Shop::open(self.plan, clock.now());
            while !stop.is_asked() {
                for export in shop.tick(clock.now()) {
                    send(&intake, &stop, export).await?;
                }
                // Whichever ends first, `stop` is looked at next.
                let _first = select(pin!(sleep(TICK)), pin!(stop.asked())).await;
            }
            // Visits that were begun are told to their end, so that no trace is left in halves.
            for export in shop.close() {
                send(&intake, &stop, export).await?;
            }
            tracing::info!(traces = shop.visits(), "the shop has closed");
            Ok(())
        })
    }
}

/// Hands a request in, again and again while the intake is busy; a shop that is told to stop tries once.
async fn send(intake: &Intake, stop: &Stop, export: Export) -> Result<(), SourceError> {
    loop {
        let refused = match intake.admit(export.signal, export.request.len()) {
            Ok(room) => intake.accept(export.signal, export.request.clone(), room, Caller::Here, None).await.err(),
            Err(busy) => Some(Refused::Busy(busy)),
        };
        let after = match refused {
            None | Some(Refused::Closing) => return Ok(()),
            Some(Refused::Malformed(malformed)) => return Err(SourceError(format!("the shop made a wrong request: {malformed}"))),
            Some(Refused::Busy(busy)) => busy.after,
            Some(Refused::Unavailable { after, .. }) => after,
        };
        match select(pin!(sleep(after)), pin!(stop.asked())).await {
            Either::Left(_) => {}
            Either::Right(_) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::start;
    use signal::Signal;

    #[tokio::test]
    async fn the_shop_sends_whole_visits_through_a_pipeline_and_closes_when_told() {
        let shop = "shop: { type: generate, traces_per_second: 200, traces_max: 30, errors: 20%, slow: 20% }";
        let trial = start("", shop).await.map_err(|faults| format!("{faults:?}")).unwrap();
        assert!(trial.kept(Signal::Traces, 60).await >= 60);
        let drained = trial.end().await;
        let shop = &drained.ledger.node("shop").unwrap().signals;
        assert!(shop[&Signal::Traces].out > 4 * 30 && shop[&Signal::Logs].out > 2 * 30 && shop[&Signal::Metrics].out > 0, "{shop:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_generated_is_said() {
        let faults = start("", "shop: { type: generate, traces_per_second: 0 }").await.err().expect("no visits");
        assert_eq!(faults[0].what, "`traces_per_second` must be 1 to 10000");
        let faults = start("", "shop: { type: generate, errors: 60%, slow: 60% }").await.err().expect("over the whole");
        assert_eq!(faults[0].what, "`errors` and `slow` are more than 100% together");
    }
}
