//! A service as its authors would write it with the official SDK: spans with their context, logs through `tracing`, a counter.

use kit::Kansoku;
use opentelemetry::{
    Context, KeyValue,
    metrics::MeterProvider,
    trace::{SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{Compression, LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

/// Which of OTLP's transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// gRPC, compressed with gzip.
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

/// A service and its SDK.
pub(crate) struct Service {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
    log: Dispatch,
    /// Drives the gRPC channels.
    _runtime: Runtime,
}

/// What becomes of a request, and what its caller is told.
pub(crate) trait Answer {
    /// What the caller is told.
    type Told;
    /// Apart.
    fn apart(self) -> (Result<(), &'static str>, Self::Told);
}

impl Answer for Result<(), &'static str> {
    type Told = ();
    fn apart(self) -> (Result<(), &'static str>, ()) {
        (self, ())
    }
}

impl<T> Answer for (Result<(), &'static str>, T) {
    type Told = T;
    fn apart(self) -> (Result<(), &'static str>, T) {
        self
    }
}

impl Service {
    pub(crate) fn new(name: &'static str, transport: Transport, kansoku: &Kansoku) -> Service {
        // The SDK's HTTP client is built with our TLS library, which wants a provider even for plain HTTP.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let (spans, records, points) = {
            let _within = runtime.enter();
            exporters(transport, kansoku)
        };
        let resource = Resource::builder().with_service_name(name).build();
        let traces = SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource.clone()).build();
        let logs = SdkLoggerProvider::builder().with_batch_exporter(records).with_resource(resource.clone()).build();
        let metrics = SdkMeterProvider::builder().with_periodic_exporter(points).with_resource(resource).build();
        let log = Dispatch::new(tracing_subscriber::registry().with(OpenTelemetryTracingBridge::new(&logs)));
        Service { traces, logs, metrics, log, _runtime: runtime }
    }

    /// Serves a request under a span of its own, which `from` is the remote parent of.
    pub(crate) fn server<A: Answer>(&self, name: &'static str, from: Option<SpanContext>, serve: impl FnOnce(SpanContext) -> A) -> A::Told {
        let parent = from.map_or_else(Context::new, |caller| Context::new().with_remote_span_context(caller));
        let tracer = self.traces.tracer("shop");
        let span = tracer.span_builder(name).with_kind(SpanKind::Server).start_with_context(&tracer, &parent);
        let context = parent.with_span(span);
        let guard = context.clone().attach();
        let (outcome, told) = serve(context.span().span_context().clone()).apart();
        drop(guard);
        if let Err(why) = outcome {
            context.span().set_status(Status::error(why));
        }
        context.span().end();
        told
    }

    /// Calls another service under a client span.
    pub(crate) fn client(&self, name: &'static str, call: impl FnOnce(SpanContext)) {
        let tracer = self.traces.tracer("shop");
        let span = tracer.span_builder(name).with_kind(SpanKind::Client).start_with_context(&tracer, &Context::current());
        let context = Context::current_with_span(span);
        call(context.span().span_context().clone());
        context.span().end();
    }

    pub(crate) fn info(&self, message: &str) {
        tracing::dispatcher::with_default(&self.log, || tracing::info!(target: "shop", "{message}"));
    }

    pub(crate) fn error(&self, message: &str) {
        tracing::dispatcher::with_default(&self.log, || tracing::error!(target: "shop", "{message}"));
    }

    pub(crate) fn count(&self, counter: &'static str) {
        self.metrics.meter("shop").u64_counter(counter).build().add(1, &[KeyValue::new("shop", "north")]);
    }

    /// Sends what waits; an export that was refused fails the test.
    pub(crate) fn end(&self) {
        self.traces.shutdown().unwrap();
        self.logs.shutdown().unwrap();
        self.metrics.shutdown().unwrap();
    }
}

fn exporters(transport: Transport, kansoku: &Kansoku) -> (SpanExporter, LogExporter, MetricExporter) {
    match transport {
        Transport::Grpc => {
            let at = format!("http://{}", kansoku.grpc());
            let spans = SpanExporter::builder().with_tonic().with_endpoint(&at).with_compression(Compression::Gzip);
            let logs = LogExporter::builder().with_tonic().with_endpoint(&at).with_compression(Compression::Gzip);
            let metrics = MetricExporter::builder().with_tonic().with_endpoint(&at);
            (spans.build().unwrap(), logs.build().unwrap(), metrics.build().unwrap())
        }
        Transport::Http => {
            let at = format!("http://{}", kansoku.http());
            let spans = SpanExporter::builder().with_http().with_endpoint(format!("{at}/v1/traces"));
            let logs = LogExporter::builder().with_http().with_endpoint(format!("{at}/v1/logs"));
            let metrics = MetricExporter::builder().with_http().with_endpoint(format!("{at}/v1/metrics"));
            (spans.build().unwrap(), logs.build().unwrap(), metrics.build().unwrap())
        }
    }
}
