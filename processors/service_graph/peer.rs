//! Who is on the other side of a request and sends no spans: a database, a broker, a peer, or whoever calls from outside.

use super::edges::{Connection, Side};
use crate::span_metrics::attribute;
use signal::{Record, view::Span};
use std::borrow::Cow;

/// What one side says of the other.
#[derive(Debug, PartialEq)]
pub(super) enum Virtual {
    /// It has no spans.
    Surely(String, Connection),
    /// It is this one, if it sends no span.
    Otherwise(String, Connection),
}

impl Virtual {
    pub(super) fn of(record: &Record<'_>, span: &Span<'_>, side: Side, messaging: bool) -> Option<Virtual> {
        let first = |names: &[&str]| names.iter().find_map(|name| attribute(record, name).filter(|value| !value.is_empty()));
        let address = || {
            let host = attribute(record, "network.peer.address")?;
            Some(attribute(record, "network.peer.port").map_or_else(|| host.to_string(), |port| format!("{host}:{port}")))
        };
        match side {
            Side::Client if !messaging => {
                let database = first(&["db.namespace", "db.name", "db.system.name", "db.system"]);
                let named = first(&["peer.service", "service.peer.name", "server.address"]).map(Cow::into_owned).or_else(address);
                match database {
                    Some(database) => Some(Virtual::Surely(named.unwrap_or_else(|| database.into_owned()), Connection::Database)),
                    None => named.map(|name| Virtual::Otherwise(name, Connection::Virtual)),
                }
            }
            Side::Client | Side::Server => {
                let names = ["peer.service", "messaging.system", "server.address", "messaging.destination.name"];
                let broker = if messaging { first(&names).map(|broker| (broker.into_owned(), Connection::Messaging)) } else { None };
                if side == Side::Client || span.parent_span_id().is_some() {
                    return broker.map(|(name, connection)| Virtual::Otherwise(name, connection));
                }
                let (name, connection) = broker.unwrap_or_else(|| ("user".to_owned(), Connection::Virtual));
                Some(Virtual::Surely(name, connection))
            }
        }
    }
}
