//! Any text as a program of `transform`, run on any record.
#![no_main]

use kansoku_fuzz::Record;

libfuzzer_sys::fuzz_target!(|input: (Record<'_>, &str)| kansoku_fuzz::a_program_leaves_what_check_takes(input.1, &input.0));
