//! Any state of an alert node.
#![no_main]

libfuzzer_sys::fuzz_target!(|left: kansoku_fuzz::Left<'_>| kansoku_fuzz::a_ruler_begins_from_any_folder(&left));
