//! Which files there are: those that patterns name, and those of a node's containers, whose names say whose they are.

use super::glob::Glob;
use pipeline::foreign;
use signal::Value;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Files beyond so many are not followed.
pub(crate) const FILES_MAX: usize = 10_000;
/// Links from one name to another.
const LINKS_MAX: usize = 8;
/// Ends of names that no line can be read from.
const PACKED: [&str; 7] = [".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".tmp"];

/// Attributes of a resource.
pub(crate) type Attributes = Vec<(String, Value)>;

/// A file, and what it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// The name that the program writes to, of which this may be an older part.
    pub(crate) writes_to: String,
    pub(crate) resource: Attributes,
}

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) enum Places {
    Files {
        paths: Vec<Glob>,
        exclude: Vec<Glob>,
        resource: Attributes,
    },
    /// `/var/log/pods`, or `/var/log/containers` with its links. The patterns are of `namespace/pod/container`.
    Containers {
        folder: PathBuf,
        include: Vec<Glob>,
        exclude: Vec<Glob>,
    },
}

impl Places {
    /// What is there now. Older parts of what one program writes come before newer ones.
    pub(crate) fn find(&self) -> Vec<Found> {
        match self {
            Places::Files { paths, exclude, resource } => {
                let mut found: Vec<PathBuf> = paths.iter().flat_map(|glob| glob.find(FILES_MAX)).collect();
                found.sort();
                found.dedup();
                found.retain(|path| {
                    !is_packed(path) && !exclude.iter().any(|glob| glob.covers(path.to_string_lossy().trim_start_matches('/')))
                });
                let of = |path: PathBuf| Found { writes_to: path.to_string_lossy().into_owned(), path, resource: resource.clone() };
                found.into_iter().map(of).collect()
            }
            Places::Containers { folder, include, exclude } => {
                let wanted = |container: &Container| {
                    let name = format!("{}/{}/{}", container.namespace, container.pod, container.name);
                    (include.is_empty() || include.iter().any(|glob| glob.covers(&name))) && !exclude.iter().any(|glob| glob.covers(&name))
                };
                let mut found = Vec::new();
                for entry in foreign::list(folder).unwrap_or_default() {
                    if entry.directory {
                        pod(&entry.path, &entry.name, &wanted, &mut found);
                    } else if entry.name.ends_with(".log") {
                        link(&entry.path, &entry.name, &wanted, &mut found);
                    }
                }
                found
            }
        }
    }
}

/// A container as the names of its folder and file tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Container {
    namespace: String,
    pod: String,
    uid: Option<String>,
    name: String,
    id: Option<String>,
}

impl Container {
    fn resource(&self, restarts: Option<i64>) -> Attributes {
        let text = |key: &str, value: &str| (key.to_owned(), Value::from(value));
        let mut all =
            vec![text("k8s.namespace.name", &self.namespace), text("k8s.pod.name", &self.pod), text("k8s.container.name", &self.name)];
        all.extend(self.uid.as_ref().map(|uid| text("k8s.pod.uid", uid)));
        all.extend(self.id.as_ref().map(|id| text("container.id", id)));
        all.extend(restarts.map(|restarts| ("k8s.container.restart_count".to_owned(), Value::Int(restarts))));
        all
    }
}

/// `<namespace>_<pod>_<uid>`.
fn of_folder(name: &str) -> Option<Container> {
    let mut words = name.split('_');
    let (namespace, pod, uid) = (words.next()?, words.next()?, words.next()?);
    let is_whole = words.next().is_none() && ![namespace, pod, uid].contains(&"");
    is_whole.then(|| Container { namespace: namespace.to_owned(), pod: pod.to_owned(), uid: Some(uid.to_owned()), ..Container::default() })
}

/// `<pod>_<namespace>_<container>-<id>.log`.
fn of_link(name: &str) -> Option<Container> {
    let mut words = name.strip_suffix(".log")?.split('_');
    let (pod, namespace, rest) = (words.next()?, words.next()?, words.next()?);
    let (container, id) = rest.rsplit_once('-').filter(|(_, id)| id.len() == 64 && id.bytes().all(|c| c.is_ascii_hexdigit()))?;
    let is_whole = words.next().is_none() && ![pod, namespace, container].contains(&"");
    is_whole.then(|| Container {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        name: container.to_owned(),
        id: Some(id.to_owned()),
        uid: None,
    })
}

/// A folder of a pod, with a folder for each container.
fn pod(folder: &Path, name: &str, wanted: &impl Fn(&Container) -> bool, found: &mut Vec<Found>) {
    let Some(of_pod) = of_folder(name) else { return };
    for entry in foreign::list(folder).unwrap_or_default().into_iter().filter(|entry| entry.directory) {
        let container = Container { name: entry.name, ..of_pod.clone() };
        if wanted(&container) {
            files(&entry.path, &container, None, found);
        }
    }
}

/// The files of a container: `0.log` is written to, `0.log.20240501-120000` are older parts of it. `only`: those of this one.
fn files(folder: &Path, container: &Container, only: Option<&str>, found: &mut Vec<Found>) {
    let mut all = Vec::new();
    for entry in foreign::list(folder).unwrap_or_default() {
        let Some((restarts, older)) = entry.name.split_once(".log") else { continue };
        let Ok(number) = restarts.parse::<i64>() else { continue };
        let base = format!("{restarts}.log");
        if entry.directory || is_packed(&entry.path) || only.is_some_and(|only| only != base) {
            continue;
        }
        let writes_to = folder.join(&base).to_string_lossy().into_owned();
        all.push((
            (number, older.is_empty(), older.to_owned()),
            Found { path: entry.path, writes_to, resource: container.resource(Some(number)) },
        ));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    found.extend(all.into_iter().map(|(_, file)| file));
}

/// A link of `/var/log/containers`: followed to the pod's folder, which says more.
fn link(path: &Path, name: &str, wanted: &impl Fn(&Container) -> bool, found: &mut Vec<Found>) {
    let Some(named) = of_link(name).filter(wanted) else { return };
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = foreign::target(&at) else { break };
        at = next;
        let of_pod = at.parent().and_then(Path::parent).and_then(Path::file_name).and_then(|name| of_folder(&name.to_string_lossy()));
        if let (Some(of_pod), Some(folder), Some(file)) = (of_pod, at.parent(), at.file_name()) {
            let container = Container { uid: of_pod.uid, ..named };
            return files(folder, &container, Some(&file.to_string_lossy()), found);
        }
    }
    found.push(Found { path: path.to_owned(), writes_to: path.to_string_lossy().into_owned(), resource: named.resource(None) });
}

/// Where links lead to in the end.
fn real(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        match foreign::target(&at) {
            Ok(next) => at = next,
            Err(_) => break,
        }
    }
    at
}

/// Whether a path is called like an older part or a copy of a file.
pub(crate) fn is_beside(file: &Path, path: &Path) -> bool {
    // Asked of every file for every file that is new, so that a thousand of both are a million: most are told apart by their first bytes.
    let (own, other) = (file.as_os_str().as_encoded_bytes(), path.as_os_str().as_encoded_bytes());
    let name_at = memchr::memrchr(b'/', own).map_or(0, |at| at + 1);
    let stem = memchr::memrchr(b'.', own).filter(|dot| *dot >= name_at).map_or(own, |dot| &own[..dot]);
    if !other.starts_with(stem) {
        return false;
    }
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    file.parent() == path.parent() && is_older_part(&name(file), &name(path))
}

/// What lies beside a file under a name that begins with its: older parts of it, and copies.
pub(crate) fn siblings(path: &Path) -> Vec<PathBuf> {
    Folders::default().siblings(path)
}

/// Folders as they were when they were first looked into.
#[derive(Debug, Default)]
pub(crate) struct Folders(HashMap<PathBuf, Vec<foreign::Name>>);

impl Folders {
    /// See [`siblings`].
    pub(crate) fn siblings(&mut self, path: &Path) -> Vec<PathBuf> {
        let real = real(path);
        let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else { return Vec::new() };
        let name = name.to_string_lossy();
        let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
        let entries = self.0.entry(folder.to_owned()).or_insert_with(|| foreign::list(folder).unwrap_or_default());
        let from = entries.partition_point(|entry| entry.name.as_str() < stem);
        let alike = entries[from..].iter().take_while(|entry| entry.name.starts_with(stem));
        let is_part = |entry: &&foreign::Name| !entry.directory && is_older_part(&name, &entry.name) && !is_packed(&entry.path);
        alike.filter(is_part).map(|entry| entry.path.clone()).collect()
    }
}

/// `app.log` is rotated to `app.log.1` or `app.log-20240501`, and by some to `app-20240501.log` or `app.1.log`.
fn is_older_part(name: &str, other: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let numbered = |rest: &str| rest.starts_with(['.', '-', '_']) && rest[1..].starts_with(|c: char| c.is_ascii_digit());
    let is_older = other.strip_prefix(name).is_some_and(|rest| numbered(rest) || rest == ".old");
    is_older || (!stem.is_empty() && other.strip_prefix(stem).is_some_and(numbered))
}

fn is_packed(path: &Path) -> bool {
    let name = path.to_string_lossy();
    PACKED.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files that are followed")]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn older_parts_are_known_by_their_names() {
        for (other, is_part) in [
            ("app.log.1", true),
            ("app.log-20240501", true),
            ("app-20240501.log", true),
            ("app.1.log", true),
            ("app.log.old", true),
            ("app.log-debug", false),
            ("app.log", false),
            ("app2.log", false),
            ("app-debug.log", false),
            ("application.log", false),
        ] {
            assert_eq!(is_older_part("app.log", other), is_part, "{other}");
        }
    }

    fn told(places: &Places, root: &Path) -> Vec<(String, String, Attributes)> {
        let short = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
        places.find().into_iter().map(|found| (short(&found.path), short(Path::new(&found.writes_to)), found.resource)).collect()
    }

    fn containers(folder: PathBuf, include: &[&str], exclude: &[&str]) -> Places {
        let globs = |texts: &[&str]| texts.iter().map(|text| Glob::parse(text).unwrap()).collect();
        Places::Containers { folder, include: globs(include), exclude: globs(exclude) }
    }

    #[test]
    fn the_names_of_a_pods_folder_and_files_say_whose_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let app = root.join("shop_cart-7d_0f-a1/app");
        fs::create_dir_all(&app).unwrap();
        fs::create_dir_all(root.join("kube-system_dns_1/dns")).unwrap();
        fs::create_dir_all(root.join("not-a-pod/x")).unwrap();
        for name in ["1.log", "1.log.20240501-120000", "1.log.20240501-110000", "1.log.20240501-100000.gz", "0.log", "x.log", "1.log.tmp"] {
            fs::write(app.join(name), "").unwrap();
        }
        fs::write(root.join("kube-system_dns_1/dns/0.log"), "").unwrap();
        let found = told(&containers(root.to_owned(), &[], &["kube-system"]), root);
        let paths: Vec<&str> = found.iter().map(|(path, ..)| path.rsplit('/').next().unwrap()).collect();
        assert_eq!(paths, ["0.log", "1.log.20240501-110000", "1.log.20240501-120000", "1.log"]);
        assert_eq!(found[1].1, "shop_cart-7d_0f-a1/app/1.log");
        let said: Vec<String> = found[1].2.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        assert_eq!(
            said,
            [
                "k8s.namespace.name=Text(\"shop\")",
                "k8s.pod.name=Text(\"cart-7d\")",
                "k8s.container.name=Text(\"app\")",
                "k8s.pod.uid=Text(\"0f-a1\")",
                "k8s.container.restart_count=Int(1)"
            ]
        );
        assert_eq!(told(&containers(root.to_owned(), &["*/dns"], &[]), root).len(), 1);
    }

    #[test]
    fn a_link_of_the_containers_folder_is_followed_to_the_pod() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let (pods, links, docker) = (root.join("pods/shop_cart_u1/app"), root.join("containers"), root.join("docker"));
        for folder in [&pods, &links, &docker] {
            fs::create_dir_all(folder).unwrap();
        }
        let id = "ab".repeat(32);
        fs::write(docker.join("x-json.log"), "").unwrap();
        symlink(docker.join("x-json.log"), pods.join("0.log")).unwrap();
        symlink(pods.join("0.log"), links.join(format!("cart_shop_app-{id}.log"))).unwrap();
        symlink(docker.join("x-json.log"), links.join(format!("pay_shop_app-{id}.log"))).unwrap();
        let found = told(&containers(links, &[], &[]), root);
        assert_eq!(found[0].1, "pods/shop_cart_u1/app/0.log");
        assert!(
            found[0].2.contains(&("k8s.pod.uid".to_owned(), "u1".into()))
                && found[0].2.contains(&("container.id".to_owned(), id.as_str().into()))
        );
        assert!(found[1].1.starts_with("containers/pay_shop") && !found[1].2.iter().any(|(key, _)| key == "k8s.pod.uid"));
    }
}
