//! Any text that may hold a trace id.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kansoku_fuzz::found_ids_are_ids(text));
