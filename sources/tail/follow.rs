//! A tailer at work: a turn, a request, and only with its yes the next turn. What waits is in the files, so a busy pipeline makes it wait and nothing is dropped; a turn
//! that the journal can never take is read again as smaller ones.

use super::tailer::{LOOK_EVERY, Options, Size, Tailer, Turn};
use futures::future::{Either, select};
use pipeline::{Blocking, Refused, SourceContext, SourceError, Stop, blocked, positions::Taken};
use signal::{Malformed, Signal};
use std::{path::PathBuf, pin::pin, time::Duration};
use tokio::time::sleep;

/// Follows files until it is told to stop.
pub(crate) async fn follow(options: Options, file: Option<PathBuf>, blocking: Blocking, context: SourceContext) -> Result<(), SourceError> {
    let positions = context.positions.clone();
    let mut taken = match select(pin!(positions.take(file)), pin!(context.stop.asked())).await {
        Either::Left((taken, _)) => taken.map_err(SourceError)?,
        Either::Right(_) => return Ok(()),
    };
    let mut size = Size::default();
    let mut tailer = Tailer::new(options, size, taken.reached());
    while !context.stop.is_asked() {
        let turn;
        (tailer, turn) = turned(&blocking, tailer, &context, Tailer::turn).await?;
        let pause = if turn.more { Duration::ZERO } else { LOOK_EVERY };
        match hand_in(turn, &mut taken, &context).await {
            Handed::Taken => {}
            Handed::Stopped => break,
            Handed::Refused(why) => {
                // Nothing has moved, so that it is all read again, as after a start.
                size = size.halved().ok_or_else(|| SourceError(format!("a single line of it is refused: {why}")))?;
                tailer = Tailer::new(tailer.into_options(), size, taken.reached());
                continue;
            }
        }
        taken.save_if_due().await;
        wait(pause, &context.stop).await;
    }
    if !taken.is_kept() {
        // Nobody will read it again.
        let (_, turn) = turned(&blocking, tailer, &context, Tailer::last_turn).await?;
        if let Handed::Refused(why) = hand_in(turn, &mut taken, &context).await {
            return Err(SourceError(format!("what it read last is refused: {why}")));
        }
    }
    taken.save().await;
    Ok(())
}

async fn turned(
    blocking: &Blocking,
    mut tailer: Tailer,
    context: &SourceContext,
    turn: impl FnOnce(&mut Tailer, signal::Time) -> Turn + Send + 'static,
) -> Result<(Tailer, Turn), SourceError> {
    let now = context.clock.now();
    let done = blocked(blocking, move || {
        let turn = turn(&mut tailer, now);
        (tailer, turn)
    });
    done.await.ok_or_else(|| SourceError("it broke off while it read files".to_owned()))
}

/// What became of a turn.
enum Handed {
    Taken,
    /// It was told to stop first.
    Stopped,
    /// For good: it is larger than what the journal can ever take.
    Refused(Malformed),
}

/// Hands a turn's request in, again and again while the pipeline is busy.
async fn hand_in(turn: Turn, taken: &mut Taken, context: &SourceContext) -> Handed {
    taken.tell(turn.progress);
    let Some(request) = turn.request else {
        taken.moved(&turn.moves);
        return Handed::Taken;
    };
    loop {
        let refused = match context.intake.admit(Signal::Logs, request.len()) {
            Ok(room) => taken.accept(&context.intake, (Signal::Logs, request.clone()), room, &turn.moves).await.err(),
            Err(busy) => Some(Refused::Busy(busy)),
        };
        let after = match refused {
            None => return Handed::Taken,
            Some(Refused::Closing) => return Handed::Stopped,
            Some(Refused::Malformed(malformed)) => return Handed::Refused(malformed),
            Some(Refused::Busy(busy)) => busy.after,
            Some(Refused::Unavailable { after, .. }) => after,
        };
        if wait(after, &context.stop).await == Waited::Stopped {
            return Handed::Stopped;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waited {
    Enough,
    Stopped,
}

async fn wait(long: Duration, stop: &Stop) -> Waited {
    if long.is_zero() {
        return Waited::Enough;
    }
    match select(pin!(sleep(long)), pin!(stop.asked())).await {
        Either::Left(_) => Waited::Enough,
        Either::Right(_) => Waited::Stopped,
    }
}
