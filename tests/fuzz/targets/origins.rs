//! Any header of a Kafka message that is to say where its records come from.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u16, &[u8])| {
    let (records, header) = input;
    kansoku_fuzz::an_origin_header_is_read_or_refused(header, usize::from(records));
});
