//! OTLP/HTTP: three paths, protobuf and JSON, answers and errors in the encoding of the request.

use super::{
    inlet::{Encoding, Inlet},
    trouble::Trouble,
};
use ::http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};
use bytes::Bytes;
use config::{Fault, Placed};
use http_body::Body;
use http_body_util::Full;
use net::{Code, Coding, Peer, body, coding, retry};
use signal::{Signal, codec::answer};
use std::{convert::Infallible, error::Error, net::SocketAddr, time::Duration};
use tower::{Layer, service_fn, util::BoxCloneSyncService};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

const PATHS: [(&str, Signal); 3] = [("/v1/traces", Signal::Traces), ("/v1/logs", Signal::Logs), ("/v1/metrics", Signal::Metrics)];
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How long a browser remembers that it may send.
const CORS_REMEMBERED: Duration = Duration::from_secs(7_200);

/// What lets pages of these origins send; none for none.
pub(super) fn cors(origins: &[Placed<String>]) -> Result<Option<CorsLayer>, Vec<Fault>> {
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for origin in origins {
        let is_origin =
            origin.split_once("://").is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty() && !host.contains('/'));
        match HeaderValue::try_from(origin.as_str()) {
            Ok(value) if is_origin || **origin == "*" => values.push(value),
            _ => faults.push(
                origin
                    .fault(format!("`{}` is no origin", origin.as_str()))
                    .help("write scheme and host, such as `https://shop.example.com`, or `'*'` for all"),
            ),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let allowed = if values.iter().any(|value| value == "*") { AllowOrigin::any() } else { AllowOrigin::list(values.iter().cloned()) };
    let layer = CorsLayer::new().allow_origin(allowed).allow_methods([Method::POST]).allow_headers(AllowHeaders::mirror_request());
    Ok((!values.is_empty()).then(|| layer.max_age(CORS_REMEMBERED)))
}

/// The three paths, behind the rules for browsers if there are any.
pub(super) fn service<B>(
    inlet: Inlet,
    grpc: Option<SocketAddr>,
    cors: Option<CorsLayer>,
) -> BoxCloneSyncService<Request<B>, Response<Full<Bytes>>, Infallible>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let paths = service_fn(move |request: Request<B>| {
        let inlet = inlet.clone();
        async move { Ok(respond(&inlet, grpc, request).await) }
    });
    match cors {
        Some(cors) => BoxCloneSyncService::new(cors.layer(paths)),
        None => BoxCloneSyncService::new(paths),
    }
}

async fn respond<B>(inlet: &Inlet, grpc: Option<SocketAddr>, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, mut body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/grpc") {
        let hint = grpc.map_or_else(String::new, |address| format!("; OTLP/gRPC is on {address}"));
        return net::Status::unimplemented(format!("this port speaks OTLP/HTTP{hint}")).into_http();
    }
    let encoding = encoding_of(kind);
    match export(inlet, &head, encoding, &mut body).await {
        Ok((signal, accepted)) => {
            let body = match encoding {
                Some(Encoding::Json) => {
                    let why = accepted.cut.map(|cut| cut.in_json()).or(accepted.note);
                    answer::response_json(signal, accepted.rejected, why.as_deref().unwrap_or_default()).into()
                }
                _ => {
                    let why = accepted.cut.map(|cut| cut.to_string()).or(accepted.note);
                    answer::response(accepted.rejected, why.as_deref().unwrap_or_default())
                }
            };
            written(StatusCode::OK, encoding, body)
        }
        Err(trouble) => {
            if head.version < Version::HTTP_2 {
                body::discard(body).await;
            }
            refusal(&trouble, encoding)
        }
    }
}

fn encoding_of(kind: &str) -> Option<Encoding> {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match () {
        () if kind.eq_ignore_ascii_case("application/x-protobuf") || kind.eq_ignore_ascii_case("application/protobuf") => {
            Some(Encoding::Protobuf)
        }
        () if kind.eq_ignore_ascii_case("application/json") => Some(Encoding::Json),
        () => None,
    }
}

async fn export<B>(inlet: &Inlet, head: &Parts, encoding: Option<Encoding>, body: &mut B) -> Result<(Signal, pipeline::Accepted), Trouble>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let path = head.uri.path();
    inlet.knows(&head.headers)?;
    let Some((_, signal)) = PATHS.into_iter().find(|(known, _)| *known == path) else {
        let message = format!("no path `{path}`; OTLP goes to {}", PATHS.map(|(path, _)| path).join(", "));
        return Err(Trouble::new(Code::Unimplemented, StatusCode::NOT_FOUND, message));
    };
    if head.method != Method::POST {
        let message = format!("`{path}` takes POST, not {}", head.method);
        return Err(Trouble::new(Code::Unimplemented, StatusCode::METHOD_NOT_ALLOWED, message));
    }
    let Some(encoding) = encoding else {
        let message = "the content type must be application/x-protobuf or application/json";
        return Err(Trouble::new(Code::InvalidArgument, StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let mut room = inlet.room(signal)?;
    let coding = Coding::of_header(head.headers.get(CONTENT_ENCODING)).map_err(|error| room.unread(error))?;
    let wire = body::read(&head.extensions, body, &inlet.limits, &mut |bytes| room.grow(bytes)).await;
    let wire = wire.map_err(|error| room.unread(error))?;
    let plain = coding::inflate(coding, wire, &inlet.limits, &mut |bytes| room.grow(bytes)).await;
    let plain = plain.map_err(|error| room.unread(error))?;
    let peer = head.extensions.get::<Peer>().copied();
    Ok((signal, inlet.take(signal, encoding, plain, room, peer, None).await?))
}

fn refusal(trouble: &Trouble, encoding: Option<Encoding>) -> Response<Full<Bytes>> {
    let rpc = trouble.rpc();
    let body = match encoding {
        Some(Encoding::Protobuf) => rpc.encode(),
        _ => rpc.json().into(),
    };
    let mut response = written(trouble.status, encoding, body);
    let headers: &mut HeaderMap = response.headers_mut();
    if let Some(after) = trouble.retry {
        headers.insert(RETRY_AFTER, HeaderValue::from(retry::seconds(after)));
    }
    if let Some(challenge) = &trouble.challenge {
        headers.insert(WWW_AUTHENTICATE, challenge.clone());
    }
    match trouble.status {
        StatusCode::METHOD_NOT_ALLOWED => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            drop(headers.insert("accept", HeaderValue::from_static("application/x-protobuf, application/json")));
            drop(headers.insert("accept-encoding", HeaderValue::from_static(Coding::WORDS)));
        }
        _ => {}
    }
    response
}

fn written(status: StatusCode, encoding: Option<Encoding>, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, if encoding == Some(Encoding::Protobuf) { PROTOBUF } else { JSON });
    response
}
