//! Any sequence of calls, crashes, failures and damage, against a model (`oracle.rs`): ten thousand of them, or as many as `PROPTEST_CASES` says.

use super::oracle::Oracle;
use super::*;
use crate::simulated::{Call, Survives};
use proptest::prelude::*;
use std::io::ErrorKind;

#[derive(Clone, Debug)]
enum Step {
    Append { bytes: usize },
    Commit,
    Mark,
    Decide,
    Settle { behind: u64 },
    Flush,
    Read,
    Fail { call: Call, times: usize },
    Shrink { room: u64 },
    Damage { file: prop::sample::Index, at: prop::sample::Index },
    Restart(Survives),
}

fn step() -> impl Strategy<Value = Step> {
    let call = prop::sample::select(vec![
        Call::Create,
        Call::Append,
        Call::WriteAt,
        Call::Cut,
        Call::Sync,
        Call::SyncDir,
        Call::Rename,
        Call::Remove,
    ]);
    let survives = prop_oneof![Just(Survives::All), Just(Survives::Synced), any::<u64>().prop_map(Survives::Some)];
    prop_oneof![
        12 => prop_oneof![8usize..200, 8usize..3000, 4000usize..9000].prop_map(|bytes| Step::Append { bytes }),
        6 => Just(Step::Commit),
        1 => Just(Step::Mark),
        2 => Just(Step::Decide),
        3 => (0u64..20).prop_map(|behind| Step::Settle { behind }),
        1 => Just(Step::Flush),
        2 => Just(Step::Read),
        1 => (call, 1usize..4).prop_map(|(call, times)| Step::Fail { call, times }),
        1 => (0u64..9000).prop_map(|room| Step::Shrink { room }),
        1 => (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(file, at)| Step::Damage { file, at }),
        2 => survives.prop_map(Step::Restart),
    ]
}

/// Flips a byte of some segment; returns whether there was one.
fn damage(disk: &SimulatedDisk, file: prop::sample::Index, at: prop::sample::Index) -> bool {
    let found = crate::Disk::list(disk, Path::new(DIR)).unwrap_or_default();
    let segments: Vec<_> = found.iter().filter(|found| found.name.ends_with(".log") && found.bytes > 0).collect();
    if let Some(found) = (!segments.is_empty()).then(|| file.get(&segments)) {
        disk.damage(&found.path, |bytes| *at.get_mut(bytes) ^= 0x20);
    }
    !segments.is_empty()
}

fn run(steps: Vec<Step>) {
    let (disk, mut oracle) = (SimulatedDisk::new(), Oracle::default());
    let options = Options { limit: 96 << 10, ..SMALL };
    let mut log = open(&disk, options).unwrap().0;
    let mut waiting = Vec::new();
    for (at, step) in steps.into_iter().enumerate() {
        match step {
            Step::Append { bytes } => waiting.extend(oracle.append(&log, bytes)),
            Step::Commit => waiting.drain(..).for_each(|sequence| oracle.commit(&log, sequence)),
            Step::Mark => oracle.mark(&log),
            Step::Decide => oracle.decide(&log),
            Step::Settle { behind } => oracle.settle(&log, log.synced().saturating_sub(behind)),
            Step::Flush => oracle.flush(&log),
            Step::Read => oracle.judge(&log, &format!("step {at}")),
            Step::Fail { call, times } => disk.fail(call, ErrorKind::Other, times),
            Step::Shrink { room } => disk.set_capacity(Some(disk.used() + room)),
            Step::Damage { file, at } => oracle.losses_allowed += usize::from(damage(&disk, file, at)),
            Step::Restart(survives) => {
                drop(log);
                waiting.clear();
                disk.heal();
                disk.restart(survives);
                oracle.restarted();
                let (opened, found) = open(&disk, options).unwrap();
                log = opened;
                oracle.judge(&log, &format!("step {at}, {survives:?}, {found:?}"));
            }
        }
    }
    disk.heal();
    oracle.judge(&log, "at the end");
}

fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases: 10_000, ..default } }
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn nothing_acknowledged_is_lost_changed_or_invented_whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        run(steps);
    }
}
