//! Patterns of paths: `*` and `?` within a name, `[a-z]` and `[!a-z]` for one character, `**` for any folders.

use pipeline::foreign;
use std::path::{Path, PathBuf};

/// How deep `**` goes.
const DEPTH_MAX: usize = 32;

/// A pattern, cut at its slashes.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    /// A name as it stands.
    Name(String),
    Pattern(Vec<char>),
    /// `**`
    AnyFolders,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(text: &str) -> Result<Glob, String> {
        let part = |text: &str| match text {
            "**" => Ok(Part::AnyFolders),
            _ if text.contains("**") => Err("`**` stands for whole folders; write it alone between slashes".to_owned()),
            _ if text.contains(['*', '?', '[']) => {
                let pattern: Vec<char> = text.chars().collect();
                if is_closed(&pattern) { Ok(Part::Pattern(pattern)) } else { Err(format!("`[` is not closed in `{text}`")) }
            }
            _ => Ok(Part::Name(text.to_owned())),
        };
        let parts = text.split('/').filter(|part| !part.is_empty() && *part != ".").map(part).collect::<Result<Vec<Part>, String>>()?;
        match parts.last() {
            None => Err("it is empty".to_owned()),
            Some(Part::AnyFolders) => Err("it ends in `**`; say which files: `**/*.log`".to_owned()),
            Some(_) => Ok(Glob { parts }),
        }
    }

    /// The folder in which the search begins: everything before the first part that is a pattern, below `/`.
    pub(crate) fn folder(&self) -> PathBuf {
        let fixed = self.parts[..self.parts.len() - 1].iter().map_while(|part| match part {
            Part::Name(name) => Some(name),
            Part::Pattern(_) | Part::AnyFolders => None,
        });
        fixed.fold(PathBuf::from("/"), |path, name| path.join(name))
    }

    /// What is there, at most `files_max`, sorted.
    pub(crate) fn find(&self, files_max: usize) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(Path::new("/"), &self.parts, DEPTH_MAX, files_max, &mut found);
        found.sort();
        found
    }

    /// Whether these words, cut at slashes, begin as the pattern says: `kube-system` means all that is below.
    pub(crate) fn covers(&self, text: &str) -> bool {
        let names: Vec<&str> = text.split('/').collect();
        covers(&self.parts, &names)
    }
}

fn covers(parts: &[Part], names: &[&str]) -> bool {
    match (parts, names) {
        ([], _) => true,
        ([Part::AnyFolders, rest @ ..], _) => (0..=names.len()).any(|skipped| covers(rest, &names[skipped..])),
        (_, []) => false,
        ([Part::Name(name), rest @ ..], [first, names @ ..]) => name == first && covers(rest, names),
        ([Part::Pattern(pattern), rest @ ..], [first, names @ ..]) => matches(pattern, first) && covers(rest, names),
    }
}

fn search(folder: &Path, parts: &[Part], depth: usize, files_max: usize, found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first().filter(|_| found.len() < files_max) else { return };
    match part {
        Part::Name(name) if rest.is_empty() => {
            let path = folder.join(name);
            if foreign::look(&path).is_ok_and(|seen| seen.regular) {
                found.push(path);
            }
        }
        Part::Name(name) => search(&folder.join(name), rest, depth, files_max, found),
        Part::Pattern(pattern) => {
            let names = foreign::list(folder).unwrap_or_default();
            for entry in names.into_iter().filter(|entry| matches(pattern, &entry.name)) {
                if !rest.is_empty() {
                    search(&entry.path, rest, depth, files_max, found);
                } else if !entry.directory && found.len() < files_max {
                    found.push(entry.path);
                }
            }
        }
        Part::AnyFolders => {
            search(folder, rest, depth, files_max, found);
            // A link to a folder is none here, so that no circle is walked.
            let names = if depth > 0 { foreign::list(folder).unwrap_or_default() } else { Vec::new() };
            names.into_iter().filter(|entry| entry.directory).for_each(|entry| search(&entry.path, parts, depth - 1, files_max, found));
        }
    }
}

fn is_closed(pattern: &[char]) -> bool {
    let mut rest = pattern;
    while let Some(open) = rest.iter().position(|c| *c == '[') {
        let Some((_, after)) = class(&rest[open..]) else { return false };
        rest = after;
    }
    true
}

/// The class that a pattern begins with, without its brackets, and what follows. A `]` that comes first is one of its characters.
fn class(pattern: &[char]) -> Option<(&[char], &[char])> {
    let skipped = 2 + usize::from(pattern.get(1) == Some(&'!'));
    let end = skipped + pattern.get(skipped..)?.iter().position(|c| *c == ']')?;
    Some((&pattern[1..end], &pattern[end + 1..]))
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut rest) = match class {
        ['!', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    while let [first, after @ ..] = rest {
        (found, rest) = match after {
            ['-', last, after @ ..] => (found || (*first..=*last).contains(&c), after),
            _ => (found || *first == c, after),
        };
    }
    found != negated
}

/// Whether a name is what the pattern says. Linear in both but for stars, of which only the last is ever taken back.
fn matches(pattern: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut rest, mut at) = (pattern, 0);
    let mut star: Option<(&[char], usize)> = None;
    loop {
        let step = match (rest, name.get(at)) {
            ([], None) => return true,
            (['*', after @ ..], _) => {
                star = Some((after, at));
                Some((after, at))
            }
            (['?', after @ ..], Some(_)) => Some((after, at + 1)),
            (['[', ..], Some(c)) => class(rest).filter(|(class, _)| in_class(class, *c)).map(|(_, after)| (after, at + 1)),
            ([first, after @ ..], Some(c)) if first == c => Some((after, at + 1)),
            _ => None,
        };
        (rest, at) = match (step, star) {
            (Some(step), _) => step,
            (None, Some((after, from))) if from < name.len() => {
                star = Some((after, from + 1));
                (after, from + 1)
            }
            (None, _) => return false,
        };
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files that are followed")]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_which_names_it_means() {
        for (pattern, name, fits) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a*b*c", "axxbyybzzc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x[!0-9]", "bxz", true),
            ("[a-c]x[!0-9]", "bx7", false),
            ("[]]", "]", true),
            ("*", "", true),
            ("é*", "éa", true),
            ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            let pattern: Vec<char> = pattern.chars().collect();
            assert_eq!(matches(&pattern, name), fits, "{pattern:?} {name}");
        }
    }

    #[test]
    fn a_pattern_covers_what_lies_below() {
        let covers = |pattern: &str, text: &str| Glob::parse(pattern).unwrap().covers(text);
        assert!(covers("kube-system", "kube-system/dns-1/dns"));
        assert!(covers("shop/cart-*", "shop/cart-1/app") && !covers("shop/cart-*", "shop/pay-1/app"));
        assert!(covers("*/*/istio-proxy", "shop/cart-1/istio-proxy") && !covers("*/*/istio-proxy", "shop/cart-1/app"));
        assert!(covers("**/istio-proxy", "shop/cart-1/istio-proxy"));
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        for (text, what) in [("", "empty"), ("/var/log/**", "ends in"), ("/a/[b", "not closed"), ("/a**/b", "alone")] {
            assert!(Glob::parse(text).unwrap_err().contains(what), "{text}");
        }
    }

    #[test]
    fn files_are_found_in_folders_of_any_depth_and_links_make_no_circle() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::os::unix::fs::symlink(&root, root.join("a/round")).unwrap();
        for name in ["one.log", "a/two.log", "a/b/three.log", "a/b/other.txt"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let find = |pattern: &str| {
            let found = Glob::parse(&format!("{}/{pattern}", root.display())).unwrap().find(100);
            found.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(find("**/*.log"), ["a/b/three.log", "a/two.log", "one.log"]);
        assert_eq!(find("*/*.log"), ["a/two.log"]);
        assert_eq!(find("a/b/other.txt"), ["a/b/other.txt"]);
        assert_eq!(find("nothing/*"), Vec::<String>::new());
    }
}
