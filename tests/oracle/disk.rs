//! A disk that is full: a small tmpfs under the journal. Mounting needs root; without it the test says that it proved nothing.

use crate::{
    clients::Clients,
    items::Items,
    judge::Verdict,
    receiver::{Mood, Receiver},
    to_next_hop,
};
use kit::{Kansoku, Said};
use std::{path::PathBuf, process::Command, thread, time::Duration};

/// A small disk, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, size: &str) -> Result<SmallDisk, String> {
        std::fs::create_dir_all(&at).unwrap();
        let said = Said::of(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&at));
        if said.code == 0 { Ok(SmallDisk(at)) } else { Err(said.err) }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a kansoku that a failed test left may still have it open.
        let _unmounted = Said::of(Command::new("umount").arg("-l").arg(&self.0));
    }
}

/// The longest that anybody may wait for an answer, and in which half of those who are refused have it: generous, because the machine may be busy with other
/// tests. That nobody waits for 100 ms is shown on the virtual clock, in `pipeline/tests/full_disk.rs`.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn on_a_full_disk_it_refuses_drains_and_takes_again_by_itself() {
    let items = Items::new(31, 60_000);
    let receiver = Receiver::start(items);
    let folder = tempfile::tempdir().unwrap();
    let _disk = match SmallDisk::mount(folder.path().join("journal"), "24M") {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("SKIPPED, nothing is proved about full disks: a tmpfs cannot be mounted here: {why}");
            return;
        }
    };
    let mut clients = Clients::start(items, 4, Duration::ZERO);
    let kansoku = Kansoku::run(folder.path(), &to_next_hop(&receiver));
    clients.open(&kansoku);
    clients.acknowledge(5);
    for cycle in 0..3 {
        receiver.set(Mood::Down);
        let refusals = |clients: &Clients| clients.shared.answers().values().sum::<u64>();
        let before = refusals(&clients);
        kit::until("the disk is full and clients are refused", || (refusals(&clients) > before + 20).then_some(()));
        if cycle == 1 {
            kansoku_goes_on(&kansoku);
        }
        receiver.set(Mood::Well);
        clients.acknowledge(20);
    }
    clients.stop();
    Verdict::at_next_hop(&clients.shared, &receiver).is_at_least_once(items.seed);
    let answers = clients.shared.answers();
    assert!(answers.keys().all(|answer| matches!(answer, 429 | -8)), "answers besides yes: {answers:?}");
    let refusals = clients.shared.refusals();
    println!(
        "refused {} times: half within {:?}, all within {:?}",
        refusals.len(),
        refusals[refusals.len() / 2],
        refusals[refusals.len() - 1]
    );
    assert!(refusals[refusals.len() / 2] <= REFUSED_WITHIN, "half of the refusals took longer than {:?}", refusals[refusals.len() / 2]);
    assert!(clients.shared.slowest() < ANSWER_WITHIN, "somebody waited {:?}", clients.shared.slowest());
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

/// It answers on its admin port, and says that it is ready: a full disk is no reason to be taken out of service.
fn kansoku_goes_on(kansoku: &Kansoku) {
    thread::sleep(Duration::from_millis(500));
    assert_eq!(kit::http::get(kansoku.admin(), "/livez").status, 200);
    assert_eq!(kansoku.ask(&["health"]).code, 0);
}
