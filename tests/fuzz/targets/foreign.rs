//! Any message of a queue that somebody else filled.
#![no_main]

libfuzzer_sys::fuzz_target!(|message: &[u8]| kansoku_fuzz::a_foreign_message_becomes_legal_logs(message));
