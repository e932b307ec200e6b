//! Group commit: how many syncs, when, and what happens to whoever waits.

use super::*;
use parking_lot::Mutex;

type Work = Box<dyn FnOnce() + Send>;

/// Turns are kept until the test runs them.
fn held() -> (Blocking, Arc<Mutex<Vec<Work>>>) {
    let works = Arc::new(Mutex::new(Vec::<Work>::new()));
    let keep = works.clone();
    (Arc::new(move |work| keep.lock().push(work)), works)
}

fn pending<T>(future: std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> bool {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending()
}

#[test]
fn all_who_wait_share_one_sync() {
    let disk = SimulatedDisk::new();
    let (blocking, works) = held();
    let (log, _) = Log::open(Arc::new(disk.clone()), Path::new(DIR), SMALL, blocking).unwrap();
    let before = disk.syncs();
    let sequences: Vec<u64> = (0..20).map(|n| append(&log, n, 100).unwrap()).collect();
    let mut waiting: Vec<_> = sequences.iter().map(|sequence| Box::pin(log.committed(*sequence))).collect();
    assert!(waiting.iter_mut().all(|future| pending(future.as_mut())));
    let mut turns = std::mem::take(&mut *works.lock());
    assert_eq!(turns.len(), 1, "one turn at a time");
    let dropped = waiting.pop();
    drop(dropped);
    turns.pop().unwrap()();
    assert_eq!(disk.syncs() - before, 1);
    waiting.into_iter().for_each(|future| now(future).unwrap());
    assert_eq!(numbers(&log, 0).len(), 20, "one who waited no longer is served all the same");
}

#[test]
fn who_waits_for_a_turn_that_never_runs_is_told() {
    let disk = SimulatedDisk::new();
    let (blocking, works) = held();
    let (log, _) = Log::open(Arc::new(disk.clone()), Path::new(DIR), SMALL, blocking).unwrap();
    let sequence = append(&log, 1, 100).unwrap();
    let mut waiting = Box::pin(log.committed(sequence));
    let mut flushing = Box::pin(log.flush());
    assert!(pending(waiting.as_mut()) && pending(flushing.as_mut()));
    works.lock().clear();
    assert!(matches!(now(waiting), Err(Error::Closed { .. })));
    assert!(matches!(now(flushing), Err(Error::Closed { .. })));
    assert_eq!(log.bytes(), 32, "what did not get to the disk is not counted");
}

#[test]
fn much_that_nobody_waits_for_is_written_all_the_same() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, Options { limit: 64 << 20, ..SMALL }).unwrap();
    let before = disk.syncs();
    for n in 0..30 {
        append(&log, n, 100_000).unwrap();
    }
    assert!(disk.syncs() > before && log.synced() > 10);
}

#[test]
fn a_disk_that_stands_still_makes_the_log_refuse_instead_of_filling_memory() {
    let disk = SimulatedDisk::new();
    let (blocking, _works) = held();
    let (log, _) = Log::open(Arc::new(disk), Path::new(DIR), Options { limit: 4 << 30, ..SMALL }, blocking).unwrap();
    let part = Bytes::from(vec![0; 1 << 20]);
    let refused = (0..100).find_map(|_| log.append(header(Kind::Data), std::slice::from_ref(&part)).err()).unwrap();
    assert!(matches!(refused, Refused::Failed(Error::Behind { .. })), "{refused}");
    assert!(log.next() < 66);
}

#[test]
fn under_load_syncs_keep_their_distance_and_everybody_is_served() {
    let gap = Duration::from_millis(10);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let handle = runtime.handle().clone();
    let blocking: Blocking = Arc::new(move |work| drop(handle.spawn_blocking(work)));
    let disk = SimulatedDisk::new();
    let (log, _) = Log::open(Arc::new(disk.clone()), Path::new(DIR), Options { sync_gap: gap, ..SMALL }, blocking).unwrap();
    let (began, before) = (tokio::time::Instant::now(), disk.syncs());
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..50u64 {
        let log = log.clone();
        let work = async move {
            for n in 0..10 {
                let sequence = append(&log, client * 100 + n, 50).unwrap();
                log.committed(sequence).await.unwrap();
                assert!(log.synced() > sequence);
            }
        };
        clients.spawn_on(work, runtime.handle());
    }
    runtime.block_on(async { while clients.join_next().await.transpose().unwrap().is_some() {} });
    // A round that begins a segment syncs twice; there are few of them.
    let (syncs, segments) = (disk.syncs() - before, log.bytes() / 4000 + 1);
    let rounds = began.elapsed().as_millis() as u64 / gap.as_millis() as u64 + 1;
    assert!(syncs <= rounds + segments, "{syncs} syncs in {rounds} gaps");
    assert!(syncs < 100, "500 commits took {syncs} syncs");
    assert_eq!(read_all(&mut log.reader(0)).len(), 500);
}
