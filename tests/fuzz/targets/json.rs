//! Any text as OTLP/JSON; the first byte chooses the signal.
#![no_main]

use signal::Signal;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (choice, text) = input;
    kansoku_fuzz::json_is_json(Signal::ALL[usize::from(choice) % Signal::ALL.len()], text);
});
