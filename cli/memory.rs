//! What allocates, for how long it keeps what was freed, and which pages of the program are let go. The one place of the project with `unsafe` in it.

use config::{Environment, document::Real};
use libmimalloc_sys::{mi_option_set_default, mi_option_t};
use std::{ops::Range, path::Path};

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

/// Lets go of the pages of the program that its start has touched so far, or that the kernel mapped around those: three in four of them are never looked at again, and they
/// would count as resident for as long as it runs. What is needed comes back from the page cache. Does nothing where the system does not tell (it is Linux that does).
pub(crate) fn forget_the_start() {
    let (Ok(program), Ok(mappings)) = (std::env::current_exe(), Real.file("/proc/self/smaps")) else { return };
    for mapping in as_in_the_file(&mappings, &program) {
        #[expect(unsafe_code, reason = "a foreign function")]
        // SAFETY: nobody can write to the mapping and no page of it differs from the program's file, which nobody can write to while it runs: a page that is
        // dropped reads the same when it is next touched.
        unsafe {
            libc::madvise(std::ptr::without_provenance_mut(mapping.start), mapping.len(), libc::MADV_DONTNEED);
        }
    }
}

/// The mappings of the program's file that may not be written to and of which no page was.
fn as_in_the_file(smaps: &str, program: &Path) -> Vec<Range<usize>> {
    let (mut found, mut at_hand) = (Vec::new(), None);
    for line in smaps.lines() {
        if let Some(mapping) = mapping(line) {
            at_hand = mapping.filter(|(_, path)| Path::new(path) == program).map(|(range, _)| range);
        } else if line.split_whitespace().eq(["Anonymous:", "0", "kB"]) {
            found.extend(at_hand.take());
        }
    }
    found
}

/// Whether the line begins a mapping; of one that may be read only, its range and its file.
fn mapping(line: &str) -> Option<Option<(Range<usize>, &str)>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let is_read_only = words.next()?.as_bytes().starts_with(b"r-");
    Some(words.nth(3).filter(|_| is_read_only).map(|path| (range, path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_in_the_file_is_let_go() {
        let smaps = "\
55d3560d8000-55d356864000 r--p 00000000 fe:00 14805877                   /bin/kansoku
Size:               7728 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
55d356864000-55d35851a000 r-xp 0078b000 fe:00 14805877                   /bin/kansoku
Rss:               10940 kB
Anonymous:             0 kB
55d35851a000-55d3586df000 r--p 02440000 fe:00 14805877                   /bin/kansoku
Rss:                1796 kB
Anonymous:          1796 kB
55d3586df000-55d3586ed000 rw-p 02604000 fe:00 14805877                   /bin/kansoku
Anonymous:             0 kB
7f6a069a7000-7f6a06afd000 r-xp 00026000 fe:00 326269                     /usr/lib/libc.so.6
Anonymous:             0 kB
23080000000-230c0000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
";
        let found = as_in_the_file(smaps, Path::new("/bin/kansoku"));
        assert_eq!(found, [0x55d3_560d_8000..0x55d3_5686_4000, 0x55d3_5686_4000..0x55d3_5851_a000]);
    }
}
