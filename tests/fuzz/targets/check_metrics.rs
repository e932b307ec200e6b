//! Any bytes as an export request of metrics.
#![no_main]

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

libfuzzer_sys::fuzz_target!(|raw: &[u8]| kansoku_fuzz::what_is_checked_is_read::<ExportMetricsServiceRequest>(
    signal::Signal::Metrics,
    raw
));
