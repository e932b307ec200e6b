//! Any tracestate, and what a sampler may tell in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, Option<u64>, Option<u64>)| {
    let (state, threshold, randomness) = input;
    kansoku_fuzz::a_tracestate_tells_what_was_written(state, threshold, randomness);
});
