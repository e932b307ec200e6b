//! A line of a container's log file.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| kansoku_fuzz::a_container_line_is_taken_apart(line));
