//! Any answer of a DNS server.
#![no_main]

libfuzzer_sys::fuzz_target!(|answer: &[u8]| kansoku_fuzz::every_address_of_a_dns_answer_has_its_bytes(answer));
