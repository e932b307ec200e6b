//! What allocates, and for how long it keeps what was freed. The one place of the project with `unsafe` in it.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// Takes less CPU time than the system's, where many small things come and go most: benches/RESULTS.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2.2 (include/mimalloc.h), which the crate does not name.
const PURGE_DELAY: mi_option_t = 15;
/// By default it is a tenth of that: the memory of one request went back to the system before the next one came, which brought page faults, a sixth of the CPU time.
const PURGE_DELAY_MS: core::ffi::c_long = 100;

/// Has freed memory kept for a moment before the system gets it back, unless MIMALLOC_PURGE_DELAY says how long. To be called before there are other threads.
pub(crate) fn keep_for_a_moment() {
    #[expect(unsafe_code, reason = "a foreign function")]
    // SAFETY: it stores one number in a table of mimalloc's own, which checks the index; any number is a valid delay.
    unsafe {
        mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS);
    }
}
