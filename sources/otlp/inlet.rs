//! What both doors do with a request, whatever it came in.

use super::trouble::Trouble;
use ::http::HeaderMap;
use bytes::Bytes;
use net::{
    Credential, Peer,
    body::{Limits, NoRoom, ReadError},
};
use pipeline::{Accepted, Admission, Caller, Intake, Reason, Refused};
use signal::{Signal, codec::json};
use std::{sync::Arc, time::Duration};

/// The intake, and what may come through it. Clones share it.
#[derive(Clone)]
pub(super) struct Inlet {
    intake: Intake,
    pub(super) limits: Arc<Limits>,
    credential: Option<Credential>,
}

/// What a request is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

/// Bytes that were set aside for one request.
pub(super) struct Room(Admission);

impl Room {
    /// Sets more aside.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.0.grow(bytes).map_err(|busy| NoRoom { after: busy.after, what: busy.what })
    }

    /// Counts a request whose body could not be read.
    pub(super) fn unread(&self, error: ReadError) -> Trouble {
        match &error {
            // Counted where it failed to grow.
            ReadError::NoRoom(_) => {}
            ReadError::TooLarge { .. } | ReadError::TooLargeInflated { .. } | ReadError::Bomb { .. } => self.0.refused(Reason::TOO_LARGE),
            ReadError::Slow { .. } | ReadError::Broken { .. } => self.0.refused(Reason::BROKEN_OFF),
            ReadError::UnknownCoding { .. } | ReadError::Coding { .. } | ReadError::Frame(_) => self.0.refused(Reason::MALFORMED),
        }
        error.into()
    }
}

impl Inlet {
    pub(super) fn new(intake: Intake, limits: Arc<Limits>, credential: Option<Credential>) -> Inlet {
        Inlet { intake, limits, credential }
    }

    /// Whether these headers show the credential, where one is asked for.
    pub(super) fn knows(&self, headers: &HeaderMap) -> Result<(), Trouble> {
        Ok(self.credential.as_ref().map_or(Ok(()), |credential| credential.admits(headers))?)
    }

    /// Nothing is set aside yet; an intake that is full says so before anything is read.
    pub(super) fn room(&self, signal: Signal) -> Result<Room, Trouble> {
        Ok(Room(self.intake.admit(signal, 0)?))
    }

    /// Hands an inflated request to the intake.
    pub(super) async fn take(
        &self,
        signal: Signal,
        encoding: Encoding,
        request: Bytes,
        mut room: Room,
        peer: Option<Peer>,
        within: Option<Duration>,
    ) -> Result<Accepted, Trouble> {
        let request = match encoding {
            Encoding::Protobuf => request,
            Encoding::Json => {
                room.grow(request.len()).map_err(ReadError::NoRoom)?;
                json::to_protobuf(signal, &request).map_err(|malformed| self.intake.malformed(signal, malformed))?
            }
        };
        let from = peer.map_or(Caller::Here, |Peer(address)| Caller::Peer(address));
        self.intake.accept(signal, request, room.0, from, within).await.map_err(|refused| match (refused, encoding) {
            (Refused::Malformed(malformed), Encoding::Json) => Trouble::malformed(malformed.in_json()),
            (refused, _) => refused.into(),
        })
    }
}
