//! A field of the table with the keys after it: `.attributes."http.route"`, `.body.user.id`, `.root.attributes.tenant`.

use crate::{
    fields::{self, Entry, Leaf, Type},
    operand::Operand,
    subject::Subject,
};
use config::nearest;
use signal::{
    Kinds,
    view::{Any, Attributes},
};
use vrl::path::OwnedSegment;

/// Where to read.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// The row of the table.
    pub(crate) entry: &'static Entry,
    /// The keys after it.
    pub(crate) keys: Keys,
}

/// Why a path is none, with the words that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoField {
    /// What is wrong.
    pub(crate) what: String,
    /// The part of the path that is meant, as it is written.
    pub(crate) part: String,
}

/// A path and what follows it that is no key of a map, such as `[0]`.
pub(crate) struct Split<'s> {
    /// The readable part.
    pub(crate) path: Path,
    /// From the first index on.
    pub(crate) rest: &'s [OwnedSegment],
}

impl Path {
    /// Finds the field that the segments name for one of the kinds in `takes`.
    pub(crate) fn find(segments: &[OwnedSegment], takes: Kinds) -> Result<Split<'_>, NoField> {
        let names: Vec<&str> = segments.iter().map_while(OwnedSegmentExt::name).collect();
        let Some(first) = names.first() else {
            return Err(NoField { what: "a field begins with a name, such as `.name`".to_owned(), part: String::new() });
        };
        let pair = names.get(1).map(|second| format!("{first}.{second}"));
        let found = pair.as_deref().and_then(fields::entry).map(|e| (e, 2)).or_else(|| {
            let deeper = names.len() > 1 && fields::has_parts(first);
            fields::entry(first).filter(|_| !deeper).map(|e| (e, 1))
        });
        let Some((entry, used)) = found else {
            return Err(unknown(first, pair.as_deref(), takes));
        };
        if entry.of.common(takes).is_none() {
            let what = format!("`{}` is no field of {}; {} have it", entry.name, fields::one_of(takes), fields::all_of(entry.of));
            return Err(NoField { what, part: (*first).to_owned() });
        }
        if segments.len() > used && !matches!(entry.holds, Type::Map | Type::Any | Type::List) {
            let hint = if entry.leaf == Leaf::Service { "; did you mean `.resource.\"service.name\"`?" } else { "" };
            let what = format!("`.{}` is {} and has no parts{hint}", entry.name, entry.holds.named());
            return Err(NoField { what, part: (*first).to_owned() });
        }
        let keys = Keys::new(names.get(used..).unwrap_or_default());
        Ok(Split { path: Path { entry, keys }, rest: segments.get(names.len()..).unwrap_or_default() })
    }

    /// What the path holds; a key in a map may hold anything.
    pub(crate) fn holds(&self) -> Type {
        if self.keys.is_empty() { self.entry.holds } else { Type::Any }
    }

    /// Reads it.
    pub(crate) fn read<'a>(&self, subject: &Subject<'_, 'a>) -> Operand<'a> {
        let found = subject.read(self.entry.leaf);
        if self.keys.is_empty() {
            return found;
        }
        match found {
            Operand::Map(map) => Operand::or_missing(self.keys.find(map).map(Operand::of_any)),
            _ => Operand::Missing,
        }
    }
}

trait OwnedSegmentExt {
    fn name(&self) -> Option<&str>;
}

impl OwnedSegmentExt for OwnedSegment {
    fn name(&self) -> Option<&str> {
        match self {
            OwnedSegment::Field(name) => Some(name.as_str()),
            OwnedSegment::Index(_) => None,
        }
    }
}

fn unknown(first: &str, pair: Option<&str>, takes: Kinds) -> NoField {
    let known = fields::FIELDS.iter().filter(|e| !e.of.common(takes).is_none()).map(|e| e.name);
    let parts = fields::has_parts(first);
    let word = pair.filter(|_| parts).unwrap_or(first);
    let near = if parts {
        let known: Vec<&str> = known.filter(|n| n.starts_with(first) && n.contains('.')).collect();
        match pair.and_then(|p| nearest(p, known.iter().copied())) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => format!("; there are {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
        }
    } else {
        let known: Vec<&str> = known.filter(|n| !n.contains('.')).chain(["scope"].into_iter().filter(|_| takes != Kinds::TRACES)).collect();
        let ours = fields::ELSEWHERE.iter().find(|(other, ours)| *other == first && known.contains(ours)).map(|(_, ours)| *ours);
        match ours.or_else(|| nearest(first, known.iter().copied())) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => format!("; {} are under `.attributes` or `.resource`", "keys of your own"),
        }
    };
    NoField { what: format!("`{word}` is no field of {}{near}", fields::one_of(takes)), part: first.to_owned() }
}

/// Keys into a map. A key may itself contain dots, so the whole rest is tried as one flat key before the map under the first key is entered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// For each key: the key, and it with all that follow as one.
    all: Box<[(Box<str>, Box<str>)]>,
}

impl Keys {
    /// From the outermost in.
    pub(crate) fn new(names: &[&str]) -> Keys {
        Keys { all: (0..names.len()).map(|i| (names[i].into(), names[i..].join(".").into())).collect() }
    }

    /// Whether there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The one flat key that all keys together make.
    pub(crate) fn flat(&self) -> &str {
        self.all.first().map_or("", |(_, flat)| flat)
    }

    /// Each key by itself.
    pub(crate) fn each(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(key, _)| &**key)
    }

    /// The value under these keys.
    pub(crate) fn find<'a>(&self, map: Attributes<'a>) -> Option<Any<'a>> {
        let mut map = map;
        let mut all = &*self.all;
        while let [(key, flat), rest @ ..] = all {
            if let Some(value) = map.get(flat) {
                return Some(value);
            }
            match map.get(key) {
                Some(Any::Map(inner)) => map = inner,
                _ => return None,
            }
            all = rest;
        }
        None
    }
}
