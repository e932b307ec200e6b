//! OTLP/gRPC: three unary methods.

use super::{
    inlet::{Encoding, Inlet, Room},
    trouble::Trouble,
};
use ::http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::Full;
use net::{
    Code, Peer,
    grpc::{self, Body},
};
use signal::{Signal, codec::answer};
use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

const METHODS: [(&str, Signal); 3] = [
    ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", Signal::Traces),
    ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", Signal::Logs),
    ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", Signal::Metrics),
];

/// The three services.
#[derive(Clone)]
pub(super) struct Service {
    inlet: Inlet,
    /// Where OTLP/HTTP is, for whoever mixes them up.
    http: Option<SocketAddr>,
}

impl Service {
    pub(super) fn new(inlet: Inlet, http: Option<SocketAddr>) -> Service {
        Service { inlet, http }
    }

    async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if is_grpc(kind) {
            return self.export(request).await.unwrap_or_else(|trouble| trouble.grpc().into_http());
        }
        let hint = self.http.map_or_else(String::new, |address| format!("; OTLP/HTTP is on {address}"));
        let mut response = Response::new(Body::new(Full::from(format!("this port speaks OTLP/gRPC{hint}\n"))));
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        response
    }

    async fn export<B>(self, request: Request<B>) -> Result<Response<Body>, Trouble>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        self.inlet.knows(request.headers())?;
        let path = request.uri().path();
        let Some((_, signal)) = METHODS.into_iter().find(|(method, _)| *method == path) else {
            let message = format!("no method `{path}`; OTLP's are {}", METHODS.map(|(method, _)| method).join(", "));
            return Err(Trouble::new(Code::Unimplemented, StatusCode::NOT_FOUND, message));
        };
        let inlet = self.inlet;
        let (limits, room) = (Arc::clone(&inlet.limits), inlet.room(signal)?);
        let peer = request.extensions().get::<Peer>().copied();
        let within = grpc::timeout(request.headers());
        let take = async move |message, room| {
            let accepted = inlet.take(signal, Encoding::Protobuf, message, room, peer, within).await.map_err(Trouble::grpc)?;
            let why = accepted.cut.map(|cut| cut.to_string()).or(accepted.note);
            Ok(answer::response(accepted.rejected, why.as_deref().unwrap_or_default()))
        };
        Ok(grpc::unary(request, limits, room, Room::grow, |room, error| room.unread(error).grpc(), take).await)
    }
}

/// With a message's encoding after it or not (`application/grpc+proto`); gRPC-Web is another protocol.
fn is_grpc(kind: &str) -> bool {
    kind.strip_prefix("application/grpc").is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

impl<B> tower::Service<Request<B>> for Service
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
