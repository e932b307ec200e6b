//! What is done to the hop while clients send.

use crate::{
    PARTITIONS,
    clients::Clients,
    committed::Watching,
    fleet::{Fleet, GUEST},
    items::Chance,
    judge::{self, Run},
    next_hop::NextHop,
    seen::Seeing,
    told,
    traces::{GROUP, RECORDS, Traces},
    until,
};
use kit::kafka::{Broker, broker};
use std::{sync::Arc, thread, time::Duration};

/// A share of the groups is sent over so long, if the hop takes it.
const SHARE: Duration = Duration::from_secs(5);

/// One thing that is done while a share of the groups is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Gateway,
    Broker,
    /// One of the consumers that are always wanted.
    Member,
    /// One of them is stopped until the others have its partitions, and then goes on as if nothing had been.
    Pause,
    /// A consumer more joins, or leaves again.
    Turn,
}

/// All of them, in an order that chance makes.
fn blows(chance: &mut Chance) -> Vec<Blow> {
    let (kills, turns) = (told("KILLS", 2), told("REBALANCES", 2));
    let mut blows: Vec<Blow> =
        [Blow::Gateway, Blow::Broker, Blow::Member].into_iter().flat_map(|blow| (0..kills).map(move |_| blow)).collect();
    blows.extend((0..turns).map(|_| Blow::Turn).chain((0..kills.div_ceil(2)).map(|_| Blow::Pause)));
    for at in (1..blows.len()).rev() {
        blows.swap(at, usize::try_from(chance.next(at as u64 + 1)).unwrap());
    }
    blows
}

#[test]
fn killed_everywhere_and_shared_out_anew_the_hop_loses_nothing_and_decides_each_trace_once() {
    let Some(broker) = broker() else { return };
    let seed = told("ORACLE_SEED", 71);
    let mut chance = Chance::new(seed);
    let blows = blows(&mut chance);
    let groups = told("RECORDS", 60_000).div_ceil(GROUP * RECORDS).max(blows.len() as u64 + 1);
    println!("ORACLE_SEED={seed}: {} records, {blows:?}", groups * GROUP * RECORDS);
    let (traces, count) = (Traces { seed }, groups * GROUP);
    let topic = format!("hop-{}", std::process::id());
    kit::kafka::create(&broker.address(), &topic, PARTITIONS, &[]);
    let next_hop = NextHop::start(traces, count);
    let mut fleet = Fleet::new(broker.address(), topic.clone(), next_hop.clone());
    fleet.start(0);
    fleet.start(1);
    fleet.until_shared();
    let seeing = Arc::new(Seeing::start(&broker.address(), &topic, traces, count));
    let watching = Watching::start(&broker.address(), &topic, &seeing, &next_hop);
    fleet.start_gateway();
    let clients = Clients::start(traces, groups);
    clients.send_to(fleet.gateway.as_ref().map(kit::Kansoku::http));

    let shares = blows.len() as u64 + 1;
    for (at, blow) in blows.iter().enumerate() {
        // A quarter of a share is there when the blow falls, and the rest comes while it does.
        clients.allow(groups * (at as u64 + 1) / shares, SHARE);
        clients.until_acknowledged(clients.acknowledged() + groups / shares * GROUP * RECORDS / 4);
        let begin = std::time::Instant::now();
        strike(*blow, &mut fleet, broker, &clients, &mut chance);
        println!("{blow:?} took {:.1?}; {} records are acknowledged", begin.elapsed(), clients.acknowledged());
        watching.is_content();
        assert!(seeing.reads(), "the oracle cannot read the topic");
    }
    clients.allow(groups, SHARE);
    let (refused, unanswered) = clients.end();
    println!("all is acknowledged; {refused} requests were refused, {unanswered} not answered");
    until_settled(&fleet, &seeing, &watching);
    let looks = watching.end();
    fleet.start_all();
    judge::judge(&Run { traces, count, fleet: &fleet, seen: &seeing.lock(), next_hop: &next_hop, looks: &looks });
    fleet.end();
}

fn strike(blow: Blow, fleet: &mut Fleet, broker: &Broker, clients: &Clients, chance: &mut Chance) {
    match blow {
        Blow::Gateway => {
            fleet.kill_gateway();
            clients.send_to(None);
            fleet.start_gateway();
            clients.send_to(fleet.gateway.as_ref().map(kit::Kansoku::http));
        }
        Blow::Broker => {
            broker.kill();
            thread::sleep(Duration::from_millis(chance.next(3_000)));
            broker.start_again();
        }
        Blow::Member => {
            let member = usize::try_from(chance.next(2)).unwrap();
            fleet.kill(member);
            if chance.next(2) == 0 {
                // Its partitions go to the others first.
                fleet.until_shared();
            }
            fleet.start(member);
            fleet.until_shared();
        }
        Blow::Pause => {
            let member = usize::try_from(chance.next(2)).unwrap();
            let paused = fleet.members[member].take().unwrap();
            paused.signal("STOP");
            fleet.until_shared();
            paused.signal("CONT");
            fleet.members[member] = Some(paused);
            fleet.until_shared();
        }
        Blow::Turn => {
            if fleet.members[GUEST].is_none() {
                fleet.start(GUEST);
            } else {
                fleet.stop(GUEST);
            }
            fleet.until_shared();
        }
    }
}

/// Waits until all that is acknowledged is in the topic, and all that is there is committed.
fn until_settled(fleet: &Fleet, seeing: &Seeing, watching: &Watching) {
    let gateway = fleet.gateway.as_ref().unwrap();
    let held = || ["traces", "logs"].map(|signal| gateway.count("hop", signal, "held") + gateway.count("otlp", signal, "held"));
    until("all is in the topic", || held() == [0, 0], || format!("{:?}", held()));
    let committed = || {
        watching.is_content();
        let ends: Vec<i64> = seeing.lock().messages.iter().map(|messages| messages.len() as i64).collect();
        watching.all_is_committed(&ends)
    };
    until("all is committed", committed, || watching.at());
}
