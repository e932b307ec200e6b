//! Any folder of a log.
#![no_main]

use kansoku_fuzz::Damage;

libfuzzer_sys::fuzz_target!(|damage: Damage<'_>| kansoku_fuzz::a_damaged_log_gives_nothing_that_was_not_written(&damage));
