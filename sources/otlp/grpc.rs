//! OTLP/gRPC: three unary methods.

use super::{
    inlet::{Encoding, Inlet},
    trouble::Trouble,
};
use ::http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::Body;
use net::{
    Code, Peer,
    grpc::{self, Reply},
};
use signal::{Signal, codec::answer};
use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
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

    async fn answer<B>(self, request: Request<B>) -> Response<Reply>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/grpc") {
            return grpc::answer(self.export(request).await.map_err(Trouble::grpc));
        }
        let hint = self.http.map_or_else(String::new, |address| format!("; OTLP/HTTP is on {address}"));
        Reply::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("this port speaks OTLP/gRPC{hint}\n"))
    }

    async fn export<B>(&self, request: Request<B>) -> Result<Bytes, Trouble>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let Some((_, signal)) = METHODS.into_iter().find(|(method, _)| *method == path) else {
            let message = format!("no method `{path}`; OTLP's are {}", METHODS.map(|(method, _)| method).join(", "));
            return Err(Trouble::new(Code::Unimplemented, StatusCode::NOT_FOUND, message));
        };
        let mut room = self.inlet.room()?;
        let message = grpc::read(&head.headers, body, &self.inlet.limits, &mut |bytes| room.grow(bytes)).await?;
        let peer = head.extensions.get::<Peer>().copied();
        let within = grpc::timeout(&head.headers);
        let accepted = self.inlet.take(signal, Encoding::Protobuf, message, room, peer, within).await?;
        let why = accepted.cut.map(|cut| cut.to_string()).or(accepted.note);
        Ok(answer::response(accepted.rejected, why.as_deref().unwrap_or_default()))
    }
}

impl<B> tower::Service<Request<B>> for Service
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Reply>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
