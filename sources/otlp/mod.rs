//! OTLP over gRPC and HTTP. Both doors do the same with a request: admit its bytes, read, inflate, make protobuf of JSON, hand it to the intake.

mod grpc;
mod http;
mod inlet;
mod limits;
mod lock;
#[cfg(test)]
mod tests;
mod trouble;

use config::{Address, Auth, Fault, Place, Placed, ServerTls};
use futures::future::{BoxFuture, join};
use inlet::Inlet;
use limits::Limits;
use net::{Credential, Listener, Transport, body, serve};
use pipeline::{BuildContext, Claim, Component, Opened, Pool, Shape, Source, SourceContext, SourceError, Speaks};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::Kinds;
use std::{net::SocketAddr, sync::Arc};

const GRPC: &str = "127.0.0.1:4317";
const HTTP: &str = "127.0.0.1:4318";
/// In place of an address: this door stays shut.
const OFF: &str = "off";

/// Takes OTLP from SDKs, Collectors and agents: over gRPC, and over HTTP in protobuf and in JSON, each as it is or compressed with gzip, deflate or zstd.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Otlp {
    /// OTLP/gRPC.
    #[serde(default)]
    grpc: Grpc,
    /// OTLP/HTTP.
    #[serde(default)]
    http: Http,
    /// What one client may ask for.
    #[serde(default)]
    limits: Limits,
}

/// OTLP/gRPC.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Grpc {
    /// `HOST:PORT`, by default `127.0.0.1:4317`; `off` for none.
    #[schemars(with = "Option<String>")]
    listen: Option<Placed<Listen>>,
    /// Without it the port speaks plain text.
    tls: Option<ServerTls>,
    /// What clients have to show; without it whoever reaches the port may send.
    auth: Option<Auth>,
}

/// OTLP/HTTP.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Http {
    /// `HOST:PORT`, by default `127.0.0.1:4318`; `off` for none.
    #[schemars(with = "Option<String>")]
    listen: Option<Placed<Listen>>,
    /// Without it the port speaks plain text.
    tls: Option<ServerTls>,
    /// What clients have to show; without it whoever reaches the port may send.
    auth: Option<Auth>,
    /// Which web pages may send.
    #[serde(default)]
    cors: Cors,
}

/// An address, or `off`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Listen(String);

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Listen, String> {
        if text == OFF { Ok(Listen(text)) } else { Address::try_from(text).map(|address| Listen(address.0)) }
    }
}

/// Cross-origin requests, for telemetry from browsers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Cors {
    /// Origins such as `https://shop.example.com`, or `*` for all; none by default.
    #[serde(default)]
    origins: Vec<Placed<String>>,
}

impl Component for Otlp {
    type Runs = dyn Source;
    const TYPE: &'static str = "otlp";
    const EXAMPLE: &'static str =
        "grpc: { listen: 127.0.0.1:0 }\nhttp: { listen: 127.0.0.1:0, cors: { origins: ['https://shop.example.com'] } }\n";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { gives: Kinds::RECORDS, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        let cors = http::cors(&self.http.cors.origins)?;
        let door = |listen: &Option<Placed<Listen>>, tls: &Option<ServerTls>, usual: &str, key: &str| {
            let address = listen.as_ref().map_or(usual, |listen| listen.0.as_str()).to_owned();
            if address == OFF {
                return Ok(None);
            }
            let place = listen.as_ref().map_or(context.place, Placed::place);
            let transport = tls.as_ref().map_or(Ok(Transport::Plain), |tls| lock::transport(tls, context.folder))?;
            let key = format!("sources.{}.{key}.listen", context.name);
            // Port 0 is another port every time.
            let claim = (!address.ends_with(":0")).then(|| context.pool.claim(&address, &key)).transpose().map_err(|other| {
                let other = other.trim_end_matches(".listen");
                Fault::at(place, format!("{address} is already listened on by {other}; set {key}"))
            })?;
            Ok(Some(Door { address, place, key, transport, pool: context.pool.clone(), claim, listener: None }))
        };
        let (grpc, http) = (door(&self.grpc.listen, &self.grpc.tls, GRPC, "grpc"), door(&self.http.listen, &self.http.tls, HTTP, "http"));
        let (grpc, http) = match (grpc, http) {
            (Ok(grpc), Ok(http)) => (grpc, http),
            (grpc, http) => return Err(grpc.err().into_iter().chain(http.err()).collect()),
        };
        if grpc.is_none() && http.is_none() {
            return Err(context.fault(format!("`{}` has both `grpc` and `http` off, so nothing can come in", context.name)));
        }
        let (body, serve) = (self.limits.of_a_body(), self.limits.of_a_door(&context.memory));
        let credentials = [&self.grpc.auth, &self.http.auth].map(|auth| auth.as_ref().map(lock::credential));
        Ok(Box::new(Server { grpc, http, credentials, cors, body: Arc::new(body), serve }))
    }
}

struct Server {
    grpc: Option<Door>,
    http: Option<Door>,
    /// What clients have to show at each of the two.
    credentials: [Option<Credential>; 2],
    cors: Option<tower_http::cors::CorsLayer>,
    body: Arc<body::Limits>,
    serve: serve::Limits,
}

/// An address to listen on.
struct Door {
    address: String,
    place: Place,
    /// Where the address is set, for whoever finds it taken.
    key: String,
    transport: Transport,
    pool: Pool,
    /// None for port 0, which is another port every time.
    claim: Option<Arc<Claim>>,
    listener: Option<Arc<Listener>>,
}

impl Door {
    /// Binds the address, or takes the listener that an older graph has there.
    async fn open(&mut self) -> Result<Arc<Listener>, Fault> {
        let shared = self.claim.is_some();
        let listener = match self.pool.get::<Listener>(&self.address).filter(|_| shared) {
            Some(listener) => listener,
            None => {
                let bound = net::listen(&self.address).await;
                let bound = Arc::new(bound.map_err(|error| Fault::at(self.place, format!("{error}; set {}", self.key)))?);
                if shared {
                    let put = self.pool.get_or(&self.address, || Ok::<_, std::convert::Infallible>(Arc::clone(&bound)));
                    put.unwrap_or_else(|never| match never {})
                } else {
                    bound
                }
            }
        };
        self.listener = Some(Arc::clone(&listener));
        Ok(listener)
    }

    /// Nobody is pointed to a door that wants more than an address.
    fn said(&self, speaks: Speaks, address: SocketAddr, credential: Option<&Credential>) -> Opened {
        let opened = Opened::listener(speaks, address);
        match (&self.transport, credential) {
            (Transport::Plain, None) => opened,
            (Transport::Plain, Some(_)) => Opened { address: None, ..opened },
            (Transport::Tls(_), _) => Opened { address: None, what: format!("{} over TLS", opened.what), ..opened },
        }
    }
}

impl Source for Server {
    fn open(&mut self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async {
            let (mut opened, mut faults) = (Vec::new(), Vec::new());
            let doors = [(Speaks::OtlpGrpc, &mut self.grpc), (Speaks::OtlpHttp, &mut self.http)];
            for ((speaks, door), credential) in doors.into_iter().zip(&self.credentials) {
                let Some(door) = door else { continue };
                match door.open().await {
                    Ok(listener) => opened.push(door.said(speaks, listener.address(), credential.as_ref())),
                    Err(fault) => faults.push(fault),
                }
            }
            if faults.is_empty() { Ok(opened) } else { Err(faults) }
        })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Server { grpc, http, credentials, cors, body, serve: limits } = *self;
            let opened = |door: Option<Door>| door.and_then(|door| Some((door.listener?, door.transport)));
            let (grpc, http) = (opened(grpc), opened(http));
            let place = |opened: &Option<(Arc<Listener>, Transport)>| opened.as_ref().map(|(listener, _)| listener.address());
            let (grpc_at, http_at) = (place(&grpc), place(&http));
            let [for_grpc, for_http] = credentials.map(|credential| Inlet::new(context.intake.clone(), Arc::clone(&body), credential));
            let over_grpc = async {
                let Some((listener, transport)) = grpc else { return };
                let service = grpc::Service::new(for_grpc, http_at);
                net::serve(&listener, transport, service, limits.clone(), context.stop.asked()).await;
            };
            let over_http = async {
                let Some((listener, transport)) = http else { return };
                let service = http::service(for_http, grpc_at, cors);
                net::serve(&listener, transport, service, limits.clone(), context.stop.asked()).await;
            };
            join(over_grpc, over_http).await;
            Ok(())
        })
    }
}
