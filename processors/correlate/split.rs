//! Tells services whose traces are split between gateways. A span whose parent is of the same process comes over the same exporter as that parent; where such
//! parents are missing when their traces close, and do not come late either, they went elsewhere or were lost on the way.

use signal::Time;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Services that are watched.
const SERVICES_MAX: usize = 256;
/// A service is judged by so many traces at the least.
const TRACES_MIN: u32 = 20;
/// It is split if more than one trace of so many lacks parents.
const ONE_IN: u32 = 20;

/// No service.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Default)]
struct Service {
    traces: u32,
    missing: u32,
    late: u32,
    split: bool,
}

/// The services that traces came from lately.
pub(super) struct Splits {
    /// How long one is watched before it is judged.
    length: Duration,
    turned: Time,
    numbers: HashMap<Arc<str>, u32>,
    services: Vec<Service>,
}

impl Splits {
    pub(super) fn new(length: Duration) -> Splits {
        Splits { length, turned: Time(0), numbers: HashMap::new(), services: Vec::new() }
    }

    fn number(&mut self, service: &Arc<str>) -> Option<u32> {
        if let Some(number) = self.numbers.get(service) {
            return Some(*number);
        }
        let number = u32::try_from(self.services.len()).ok().filter(|_| self.services.len() < SERVICES_MAX)?;
        self.numbers.insert(Arc::clone(service), number);
        self.services.push(Service::default());
        Some(number)
    }

    /// A trace was closed in its time, with spans of these services; `lacking` is one whose spans lack a parent. The number of that one, and whether it is
    /// known to be split.
    pub(super) fn closed(&mut self, services: &[Arc<str>], lacking: Option<&Arc<str>>, now: Time) -> (u32, bool) {
        self.turn(now);
        for service in services {
            if let Some(service) = self.number(service).and_then(|number| self.services.get_mut(number as usize)) {
                service.traces = service.traces.saturating_add(1);
            }
        }
        let Some(number) = lacking.and_then(|service| self.number(service)) else { return (NONE, false) };
        let Some(service) = self.services.get_mut(number as usize) else { return (NONE, false) };
        service.missing = service.missing.saturating_add(1);
        (number, service.split)
    }

    /// Spans came late of a trace that lacked parents of this service: it was only slow.
    pub(super) fn came_late(&mut self, number: u32) {
        if let Some(service) = self.services.get_mut(number as usize) {
            service.late = service.late.saturating_add(1);
        }
    }

    fn turn(&mut self, now: Time) {
        if now.since(self.turned) < self.length {
            return;
        }
        self.turned = now;
        // Services that are not heard of any more make room for others.
        if self.services.iter().all(|service| service.traces == 0) || self.services.len() == SERVICES_MAX {
            self.services.clear();
            self.numbers.clear();
        }
        for service in &mut self.services {
            let lost = service.missing.saturating_sub(service.late);
            let split = service.traces >= TRACES_MIN && lost > service.traces / ONE_IN;
            *service = Service { split, ..Service::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(60);

    fn at(minute: u64) -> Time {
        Time(1_000_000_000_000 + minute * 61_000_000_000)
    }

    #[test]
    fn a_service_whose_parents_never_come_is_split_and_one_whose_parents_come_late_is_not() {
        let (mut splits, shop, pay): (_, Arc<str>, Arc<str>) = (Splits::new(LENGTH), "shop".into(), "pay".into());
        for _ in 0..40 {
            assert!(!splits.closed(&[Arc::clone(&shop)], Some(&shop), at(1)).1);
            let (number, split) = splits.closed(&[Arc::clone(&pay)], Some(&pay), at(1));
            assert!(!split);
            splits.came_late(number);
        }
        assert!(splits.closed(&[Arc::clone(&shop)], Some(&shop), at(2)).1);
        assert!(!splits.closed(&[Arc::clone(&pay)], Some(&pay), at(2)).1);
        assert!(!splits.closed(&[], Some(&shop), at(3)).1, "two traces are too few to tell");
    }

    #[test]
    fn a_lost_parent_now_and_then_is_no_split() {
        let (mut splits, shop): (_, Arc<str>) = (Splits::new(LENGTH), "shop".into());
        let split = |n| splits.closed(&[Arc::clone(&shop)], Some(&shop).filter(|_| n % 25 == 0), at(1)).1;
        assert!(!(0..100).any(split));
        assert!(!splits.closed(&[], Some(&shop), at(2)).1);
    }
}
