//! One request and its answer, from the head of the one to the last byte of the other.

use super::{
    Peer,
    pulse::{Exchange, Pulse},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Service, ServiceExt};

/// The service as one connection sees it.
pub(super) struct Exchanges<S> {
    service: S,
    peer: SocketAddr,
    pulse: Arc<Pulse>,
}

impl<S> Exchanges<S> {
    pub(super) fn new(service: S, peer: SocketAddr, pulse: Arc<Pulse>) -> Exchanges<S> {
        Exchanges { service, peer, pulse }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Exchanges<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Answering<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.peer));
        request.extensions_mut().insert(self.pulse.heard.clone());
        let exchange = self.pulse.begin();
        let answer = self.service.clone().oneshot(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Answering { body: Box::pin(body), _exchange: exchange })) })
    }
}

/// A body that ends its exchange with itself.
pub(super) struct Answering<B> {
    body: Pin<Box<B>>,
    _exchange: Exchange,
}

impl<B: Body<Data = Bytes>> Body for Answering<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
