//! Where something runs, as spans and logs of it both know it: the container, the pod, the process.

use crate::seed::Seed;
use signal::view::Resource;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Names of one place, the narrowest first. Numbers, since what is in it is as long as whoever wrote it liked.
pub(super) type Places = SmallVec<[Place; 4]>;

/// One name of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place(u128);

/// What a resource says of where it is.
#[derive(Default)]
struct Words<'a> {
    container_id: &'a str,
    pod: &'a str,
    container: &'a str,
    host: &'a str,
    process: Option<i64>,
    instance: &'a str,
}

/// The names of the place of a resource. A pod is one for all its containers, so that spans that do not say their container are found by its logs.
pub(super) fn places(seed: Seed, resource: &Resource<'_>) -> Places {
    let mut words = Words::default();
    for (key, value) in resource.attributes().iter() {
        let word = match key {
            "container.id" => &mut words.container_id,
            "k8s.pod.uid" => &mut words.pod,
            "k8s.container.name" => &mut words.container,
            "host.name" => &mut words.host,
            "service.instance.id" => &mut words.instance,
            "process.pid" => {
                words.process = if let signal::view::Any::Int(process) = value { Some(process) } else { None };
                continue;
            }
            _ => continue,
        };
        *word = value.text().unwrap_or_default();
    }
    let mut places = Places::new();
    let mut name = |kind: &str, parts: [&str; 2], known: bool| {
        if known {
            places.push(Place(xxh3_128_with_seed([kind, parts[0], parts[1]].join("\0").as_bytes(), seed.number())));
        }
    };
    name("container", [words.container_id, ""], !words.container_id.is_empty());
    name("pod and container", [words.pod, words.container], !words.pod.is_empty() && !words.container.is_empty());
    name("pod", [words.pod, ""], !words.pod.is_empty());
    if let Some(process) = words.process {
        name("process", [words.host, &process.to_string()], !words.host.is_empty());
    }
    name("instance", [words.instance, ""], !words.instance.is_empty());
    places
}
