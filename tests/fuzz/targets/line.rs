//! Any output of a process.
#![no_main]

libfuzzer_sys::fuzz_target!(|output: &str| kansoku_fuzz::lines_become_records(output));
