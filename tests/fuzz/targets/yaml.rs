//! Any text as a pipeline file.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kansoku_fuzz::a_pipeline_is_read_or_refused(text));
