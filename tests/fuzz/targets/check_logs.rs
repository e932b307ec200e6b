//! Any bytes as an export request of logs.
#![no_main]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;

libfuzzer_sys::fuzz_target!(|raw: &[u8]| kansoku_fuzz::what_is_checked_is_read::<ExportLogsServiceRequest>(signal::Signal::Logs, raw));
