//! The memory budget and its shares. A reservation never waits: growth that fails refuses the request.

use config::Environment;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What is taken where neither cgroup nor system says how much memory there is.
const MEMORY_UNKNOWN: u64 = 1 << 30;
/// Share of the cgroup's limit that the budget takes; the rest is for code, stacks and what is not counted.
const OF_CGROUP_PERCENT: u64 = 60;
/// Groups within groups that are looked at.
const CGROUPS_MAX: usize = 32;
/// Share of the machine's memory, which others need too.
const OF_MACHINE_PERCENT: u64 = 25;

/// One share of the budget, in bytes.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) bytes_max: usize,
    used: AtomicUsize,
}

impl Share {
    pub(crate) fn new(bytes_max: usize) -> Arc<Share> {
        Arc::new(Share { bytes_max, used: AtomicUsize::new(0) })
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Adds to what is used if it fits.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.bytes_max);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, fits).is_ok()
    }

    /// Adds to what is used though it may not fit, for what exists already.
    pub(crate) fn force(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        let less = |used: usize| Some(used.saturating_sub(bytes));
        // Cannot fail: `less` always has an answer.
        let _before = self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less);
    }
}

/// The budget and what is used of it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    pub(crate) bytes_max: u64,
    pub(crate) intake: Arc<Share>,
    pub(crate) window: Arc<Share>,
    pub(crate) queues: Arc<Share>,
    pub(crate) store_bytes_max: usize,
}

/// How much memory parts may plan with, in bytes; given to `build` so that their own limits follow from the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// For requests that are being taken in.
    pub intake_bytes_max: usize,
    /// For what all processors of one lane hold.
    pub window_bytes_max: usize,
    /// Lanes in which the part runs: what is said for the part as a whole they share.
    pub lanes: usize,
    /// For what the store has in memory.
    pub store_bytes_max: usize,
}

impl Budget {
    /// Shares of a budget: intake 20, window 40, queues 20, store 20 %.
    pub(crate) fn of(bytes: u64) -> Budget {
        let share = |percent: u64| usize::try_from(bytes / 100 * percent).unwrap_or(usize::MAX);
        Budget {
            bytes_max: bytes,
            intake: Share::new(share(20)),
            window: Share::new(share(40)),
            queues: Share::new(share(20)),
            store_bytes_max: share(20),
        }
    }

    /// Why nothing more should be taken in, if so: the window holds well over its share.
    pub(crate) fn pressed(&self) -> Option<&'static str> {
        (self.window.used() > self.window.bytes_max.saturating_add(self.window.bytes_max / 4)).then_some("the trace window is full")
    }
}

/// The default budget: a share of the cgroup's limit (v2, then v1), else of the machine's memory.
pub(crate) fn default_bytes(environment: &dyn Environment) -> u64 {
    let machine = environment.file("/proc/meminfo").ok().and_then(|text| total(&text)).unwrap_or(MEMORY_UNKNOWN);
    match cgroup_bytes(environment).filter(|limit| *limit < machine) {
        Some(limit) => limit / 100 * OF_CGROUP_PERCENT,
        None => machine / 100 * OF_MACHINE_PERCENT,
    }
}

/// The smallest limit of the process's own group and of those around it. In a container the own group usually is the root of what it sees;
/// a service of systemd sees the machine's root and finds its own below.
fn cgroup_bytes(environment: &dyn Environment) -> Option<u64> {
    let own = environment.file("/proc/self/cgroup").unwrap_or_default();
    let group = |of: &dyn Fn(&str) -> bool| {
        let line = own.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>()).find(|line| line.get(1).is_some_and(|word| of(word)));
        line.and_then(|line| line.get(2).map(|path| path.trim_matches('/').to_owned())).unwrap_or_default()
    };
    let v2 = limit_above(environment, "/sys/fs/cgroup", &group(&|word| word.is_empty()), &["memory.max", "memory.high"]);
    v2.or_else(|| {
        let memory = group(&|word| word.split(',').any(|controller| controller == "memory"));
        limit_above(environment, "/sys/fs/cgroup/memory", &memory, &["memory.limit_in_bytes"])
    })
}

/// The least of what these files say in a folder below `root` and in each one around it.
fn limit_above(environment: &dyn Environment, root: &str, below: &str, files: &[&str]) -> Option<u64> {
    let mut folders = vec![root.to_owned()];
    for name in below.split('/').filter(|name| !name.is_empty() && *name != "..").take(CGROUPS_MAX) {
        folders.push(format!("{}/{name}", folders.last().map_or(root, String::as_str)));
    }
    let paths = folders.iter().flat_map(|folder| files.iter().map(move |file| format!("{folder}/{file}")));
    paths.filter_map(|path| environment.file(&path).ok()?.trim().parse::<u64>().ok()).min()
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files<'a>(&'a [(&'a str, &'a str)]);
    impl Environment for Files<'_> {
        fn variable(&self, _: &str) -> Option<String> {
            None
        }
        fn file(&self, path: &str) -> Result<String, String> {
            self.0.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no".to_owned())
        }
    }

    #[test]
    fn the_budget_follows_the_cgroup_and_else_the_machine() {
        let machine = ("/proc/meminfo", "MemTotal:       1000 kB\nMemFree: 1 kB");
        assert_eq!(default_bytes(&Files(&[("/sys/fs/cgroup/memory.max", "100000"), machine])), 60_000);
        assert_eq!(default_bytes(&Files(&[("/sys/fs/cgroup/memory.max", "max"), machine])), 256_000);
        assert_eq!(default_bytes(&Files(&[("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"), machine])), 256_000);
        assert_eq!(default_bytes(&Files(&[])), MEMORY_UNKNOWN / 100 * 25);
    }

    #[test]
    fn the_smallest_limit_of_the_groups_around_the_process_counts() {
        let machine = ("/proc/meminfo", "MemTotal:       1000 kB");
        let service = [
            machine,
            ("/proc/self/cgroup", "0::/system.slice/kansoku.service\n"),
            ("/sys/fs/cgroup/system.slice/memory.max", "200000\n"),
            ("/sys/fs/cgroup/system.slice/kansoku.service/memory.max", "max\n"),
            ("/sys/fs/cgroup/system.slice/kansoku.service/memory.high", "100000\n"),
        ];
        assert_eq!(default_bytes(&Files(&service)), 60_000);
        assert_eq!(default_bytes(&Files(&service[..4])), 120_000);
        let older = [
            machine,
            ("/proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n"),
            ("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "100000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(default_bytes(&Files(&older)), 60_000);
    }

    #[test]
    fn the_shares_are_those_that_were_decided() {
        let budget = Budget::of(1_000_000);
        assert_eq!((budget.intake.bytes_max, budget.window.bytes_max, budget.queues.bytes_max), (200_000, 400_000, 200_000));
        assert_eq!(budget.store_bytes_max, 200_000);
        assert!(budget.window.take(400_000) && budget.pressed().is_none());
        budget.window.force(100_001);
        assert!(budget.pressed().is_some(), "a quarter over its share");
    }

    #[test]
    fn a_share_never_goes_over_its_limit() {
        let share = Share::new(10);
        assert!(share.take(7));
        assert!(!share.take(4));
        assert!(!share.take(usize::MAX));
        share.give_back(7);
        assert!(share.take(10));
        assert_eq!(share.used(), 10);
    }
}
