//! The listeners of the admin port: opened early, so that a port in use is said before anything runs; served until stop.

use crate::{
    Reloads, Settings, View, routes,
    settings::{self, Probes},
};
use config::Fault;
use futures::future::join;
use net::{Credential, Listener, Transport, serve::Limits};
use pipeline::{Clock, Opened, Stop};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// The bound listeners.
#[derive(Debug)]
pub struct Admin {
    listener: Listener,
    probes: Option<(Listener, Transport)>,
    settings: Settings,
}

/// People and a few programs ask here, not fleets.
fn limits() -> Limits {
    let window = 64 << 10;
    let places = Limits { connections_max: 256, streams_max: 32, stream_window: window, connection_window: window, ..Limits::default() };
    Limits { drain: Duration::from_secs(2), ..places }
}

impl Admin {
    /// Binds what the settings name; the lines are for the start.
    ///
    /// # Errors
    /// What could not be bound, each at its place in the file.
    pub async fn open(settings: Settings) -> Result<(Admin, Vec<Opened>), Vec<Fault>> {
        let mut faults = Vec::new();
        let admin = net::listen(&settings.listen).await;
        let admin = admin.map_err(|error| faults.push(Fault::at(settings.listen_place, format!("{error}; set admin.listen")))).ok();
        let probes = match &settings.probes {
            Some(Probes { listen, .. }) => {
                net::listen(listen).await.map_err(|error| faults.push(listen.fault(format!("{error}; set probes.listen")))).ok()
            }
            None => None,
        };
        let Some(listener) = admin.filter(|_| faults.is_empty()) else { return Err(faults) };
        let mut lines = vec![Opened::new(
            "listens",
            format!("status, queries and metrics on {}://{}", settings.transport.scheme(), listener.address()),
        )];
        let probes = probes.zip(settings.probes.as_ref().map(|probes| probes.transport.clone()));
        let said = |(probes, transport): &(Listener, Transport)| format!("probes on {}://{}", transport.scheme(), probes.address());
        lines.extend(probes.iter().map(|probes| Opened::new("listens", said(probes))));
        Ok((Admin { listener, probes, settings }, lines))
    }

    /// Where the admin port really listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Answers until stop is asked, and passes on who wants a reload; then ends what follows, and lets other answers finish for two seconds. Needs tokio's multi-threaded runtime: queries block.
    pub async fn serve(self, view: Arc<dyn View>, reloads: Reloads, clock: Clock, stop: Stop) {
        let open_to_all = self.settings.token.is_none() && settings::is_loopback_address(self.listener.address().ip());
        let guard = crate::guard::Guard::new(self.settings.token.as_ref().map(|token| Credential::bearer(token.expose())), open_to_all);
        let router = routes::admin(routes::Shared::new(Arc::clone(&view), reloads.clone(), clock.clone(), stop.clone()), guard);
        let admin = net::serve(&self.listener, self.settings.transport.clone(), router, limits(), stop.asked());
        let probes = async {
            if let Some((listener, transport)) = &self.probes {
                let router = routes::probes(routes::Shared::new(view, reloads, clock, stop.clone()));
                net::serve(listener, transport.clone(), router, limits(), stop.asked()).await;
            }
        };
        join(admin, probes).await;
    }
}
