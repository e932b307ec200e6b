//! Any body of a gRPC call, in any pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|call: kansoku_fuzz::Call<'_>| kansoku_fuzz::a_call_has_one_message_or_a_status(&call));
