//! Binding a port, with errors that say what to do, and accepting from it in a way that no error ends.

use std::{io, net::SocketAddr, time::Duration};
use tokio::net::{TcpListener, TcpStream};

/// A bound port. Held by `Arc`, it can be handed from an old graph to a new one.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Why a port could not be bound. Starts with the address as the user wrote it.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody listens there already.
    #[error("{0} is in use")]
    InUse(String),
    /// Ports below 1024 need a privilege.
    #[error("{0} may not be listened on by this user")]
    Denied(String),
    /// The host part names another machine.
    #[error("{0} is no address of this machine")]
    Elsewhere(String),
    /// Neither an address nor a name that resolves.
    #[error("`{address}` is no HOST:PORT to listen on ({error})")]
    Unknown {
        /// As written.
        address: String,
        /// The resolver's words.
        error: io::Error,
    },
    /// Anything else.
    #[error("{address} cannot be listened on ({error})")]
    Other {
        /// As written.
        address: String,
        /// The system's words.
        error: io::Error,
    },
}

/// Binds `HOST:PORT`; port 0 takes any free one.
pub async fn listen(address: &str) -> Result<Listener, ListenError> {
    let written = address.to_owned();
    let bound = async {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Listener { socket, address })
    };
    bound.await.map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(written),
        io::ErrorKind::PermissionDenied => ListenError::Denied(written),
        io::ErrorKind::AddrNotAvailable => ListenError::Elsewhere(written),
        io::ErrorKind::InvalidInput => ListenError::Unknown { address: written, error },
        // The resolver's errors have no kind of their own; an address that parses never came to it.
        _ if written.parse::<SocketAddr>().is_err() => ListenError::Unknown { address: written, error },
        _ => ListenError::Other { address: written, error },
    })
}

impl Listener {
    /// Where it really listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection, with `TCP_NODELAY` set. Errors do not end it: a connection that died in the queue is skipped, and without free file descriptors it waits for some.
    ///
    /// # Cancel safety
    /// Safe: no connection is lost.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) if stream.set_nodelay(true).is_ok() => return (stream, peer),
                Ok(_) => {}
                Err(error) if of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(listener = %self.address, %error, "cannot accept connections for now");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }
}

const BACK_OFF: Duration = Duration::from_millis(100);

fn of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_as_written() {
        let first = listen("127.0.0.1:0").await.unwrap();
        let address = first.address().to_string();
        assert_eq!(listen(&address).await.unwrap_err().to_string(), format!("{address} is in use"));
    }

    #[tokio::test]
    async fn what_is_no_address_is_said_so() {
        for (written, starts) in [("4317", "`4317` is no HOST:PORT"), ("192.0.2.1:4317", "192.0.2.1:4317 is no address of this machine")] {
            let said = listen(written).await.unwrap_err().to_string();
            assert!(said.starts_with(starts), "{said}");
        }
    }
}
