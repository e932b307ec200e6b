//! Any bytes as an export request of traces.
#![no_main]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

libfuzzer_sys::fuzz_target!(|raw: &[u8]| kansoku_fuzz::what_is_checked_is_read::<ExportTraceServiceRequest>(signal::Signal::Traces, raw));
