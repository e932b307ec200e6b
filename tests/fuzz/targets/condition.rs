//! Any text as a condition, asked of any record.
#![no_main]

use kansoku_fuzz::Record;

libfuzzer_sys::fuzz_target!(|input: (Record<'_>, &str)| kansoku_fuzz::a_condition_answers_or_is_refused(input.1, &input.0));
