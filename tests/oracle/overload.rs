//! Far more than it can do, with a small budget: it refuses, stays inside its memory, and keeps what it said yes to.

use crate::{
    LISTENERS,
    clients::Clients,
    items::Items,
    judge::Verdict,
    receiver::{Mood, Receiver},
};
use kit::Kansoku;
use std::{thread, time::Duration};

const BUDGET_MIB: u64 = 256;

#[test]
fn ten_times_too_much_stays_inside_the_budget_and_loses_nothing_acknowledged() {
    let items = Items::new(41, 400_000);
    let receiver = Receiver::start(items);
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "memory: {BUDGET_MIB}MiB\njournal: {{ path: journal, limit: 48MiB }}{LISTENERS}sinks:\n  next: {{ type: otlp, inputs: [otlp], endpoint: '{}', protocol: http, compression: none }}\n",
        receiver.url()
    );
    let mut clients = Clients::start(items, 24, Duration::ZERO);
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    // About 2 MiB a request, four at a time: a tenth of what is offered, or less.
    receiver.set(Mood::Slow(Duration::from_millis(1_000)));
    clients.open(&kansoku);
    let refused = || clients.shared.answers().values().sum::<u64>();
    kit::until("it is too much", || (refused() > 50).then_some(()));
    // And for a while after that.
    thread::sleep(Duration::from_secs(5));
    let peak = kansoku.peak_mib();
    let answers = clients.shared.answers();
    receiver.set(Mood::Well);
    clients.stop();
    println!("peak {peak} MiB with a budget of {BUDGET_MIB} MiB; answers besides yes: {answers:?}");
    assert!(answers.keys().all(|answer| matches!(answer, 429 | 503 | -8 | -14)), "answers besides yes: {answers:?}");
    assert!(peak * 10 <= BUDGET_MIB * 11, "{peak} MiB with a budget of {BUDGET_MIB} MiB");
    Verdict::at_next_hop(&clients.shared, &receiver).is_at_least_once(items.seed);
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}
