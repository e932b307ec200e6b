//! Attributes that get a typed column of their own, and the split of a batch into those columns and the JSON that is left.

use crate::{
    Error,
    column::Texts,
    commit::{Promoted, Type},
    json,
    matching::{JSON_COLUMNS, Seen},
};
use arrow::{
    array::{Array, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder},
    datatypes::{Field, Schema},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Promoted columns of a table at the most.
const COLUMNS_MAX: usize = 64;

/// Bytes of a key that can become a column's name.
const KEY_BYTES_MAX: usize = 128;

/// Different keys that are counted per flush; hostile keys beyond them stay in the JSON.
const KEYS_MAX: usize = 4_096;

/// What a flush does with attributes.
pub(crate) struct Chosen {
    /// All promoted columns of the table from now on.
    pub(crate) all: Promoted,
    /// Those of them that occur in this flush.
    pub(crate) here: Promoted,
}

/// Adds the attributes that at least one row in a hundred has, most frequent first, to those that have columns already.
pub(crate) fn choose(batches: &[RecordBatch], before: &Promoted) -> Chosen {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let known = before.0.keys().filter_map(|name| split_name(name));
    let mut counts: Counts<'_> = known.map(|name| (name, [0; 4])).collect();
    let room = counts.len() + KEYS_MAX;
    for batch in batches {
        for json in JSON_COLUMNS {
            match Texts::of(batch, json) {
                Texts::Missing => {}
                Texts::Plain(column) => column.iter().flatten().for_each(|object| count(&mut counts, room, json, object, 1)),
                Texts::Shared(column, values) => {
                    let mut uses = vec![0; values.len()];
                    (0..column.len()).filter_map(|row| column.key(row)).for_each(|key| uses[key] += 1);
                    let used = uses.iter().enumerate().filter(|(n, uses)| **uses > 0 && values.is_valid(*n));
                    used.for_each(|(n, uses)| count(&mut counts, room, json, values.value(n), *uses));
                }
            }
        }
    }
    let all = grown(before, &counts, rows);
    let seen = |name: &str| split_name(name).and_then(|name| counts.get(&name)).is_some_and(|by_type| *by_type != [0; 4]);
    let here = Promoted(all.0.iter().filter(|(name, _)| seen(name)).map(|(name, kind)| (name.clone(), *kind)).collect());
    Chosen { all, here }
}

/// Rows with a key, by the type of its value.
type Counts<'a> = HashMap<(&'static str, &'a str), [usize; 4]>;

fn grown(before: &Promoted, counts: &Counts<'_>, rows: usize) -> Promoted {
    let mut frequent: Vec<(usize, String, Type)> = Vec::new();
    for ((json, key), by_type) in counts {
        let best = Type::ALL.into_iter().max_by_key(|t| by_type[*t as usize]);
        let Some(best) = best.filter(|t| by_type[*t as usize] > 0 && by_type[*t as usize] * 100 >= rows) else { continue };
        frequent.push((by_type[best as usize], format!("{json}.{key}"), best));
    }
    frequent.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut promoted = before.clone();
    // Column names that differ only by case are one name to Spark.
    let mut taken: HashSet<String> = promoted.0.keys().map(|name| name.to_lowercase()).collect();
    for (_, name, kind) in frequent {
        if promoted.0.len() >= COLUMNS_MAX {
            break;
        }
        if taken.insert(name.to_lowercase()) {
            promoted.0.insert(name, kind);
        }
    }
    promoted
}

fn count<'a>(counts: &mut Counts<'a>, room: usize, json: &'static str, object: &'a str, uses: usize) {
    for (key, raw) in json::pairs(object).filter(|(key, _)| can_be_column(key)) {
        let Some(kind) = Seen::in_json(raw).map(|seen| type_of(&seen)) else { continue };
        if counts.len() < room || counts.contains_key(&(json, key)) {
            counts.entry((json, key)).or_default()[kind as usize] += uses;
        }
    }
}

/// The JSON column and the key of a promoted column.
fn split_name(name: &str) -> Option<(&'static str, &str)> {
    JSON_COLUMNS.into_iter().find_map(|json| Some((json, name.strip_prefix(json)?.strip_prefix('.')?)))
}

/// Delta Lake refuses ` ,;{}()\n\t=` in names; a key that JSON escapes is none to write in SQL either.
fn can_be_column(key: &str) -> bool {
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && !key.contains([' ', ',', ';', '{', '}', '(', ')', '=', '\\', '`', '"'])
}

fn type_of(seen: &Seen<'_>) -> Type {
    match seen {
        Seen::Text(_) => Type::Text,
        Seen::Int(_) => Type::Int,
        Seen::Float(_) => Type::Float,
        Seen::Flag(_) => Type::Flag,
    }
}

/// Splits batches of one table; the columns are the same for each.
pub(crate) struct Splitter {
    promoted: Promoted,
    /// The place of a promoted column by JSON column and key.
    places: HashMap<(&'static str, String), usize>,
    /// Keys that are promoted and also still in the JSON, for values of another type.
    mixed: BTreeSet<String>,
}

impl Splitter {
    /// Splits off these columns.
    pub(crate) fn new(promoted: Promoted) -> Splitter {
        let places = promoted.0.keys().enumerate().filter_map(|(n, name)| {
            let (json, key) = split_name(name)?;
            Some(((json, key.to_owned()), n))
        });
        Splitter { places: places.collect(), promoted, mixed: BTreeSet::new() }
    }

    /// The batch with promoted columns behind its own, and without what they hold in its JSON.
    pub(crate) fn split(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let mut builders: Vec<Builder> = self.promoted.0.values().map(|kind| Builder::new(*kind)).collect();
        let (mut fields, mut columns): (Vec<_>, Vec<_>) =
            batch.schema().fields().iter().cloned().zip(batch.columns().iter().cloned()).unzip();
        for json in JSON_COLUMNS {
            let Some((at, _)) = batch.schema().column_with_name(json) else { continue };
            let texts = Texts::in_array(batch.column(at).as_ref());
            columns[at] = self.split_column(json, texts, batch.num_rows(), &mut builders);
            fields[at] = Arc::new(Field::new(json, arrow::datatypes::DataType::Utf8, true));
        }
        for ((name, kind), builder) in self.promoted.0.iter().zip(builders) {
            fields.push(Arc::new(Field::new(name, kind.data_type(), true)));
            columns.push(builder.finish(batch.num_rows()));
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    fn split_column(&mut self, json: &'static str, texts: Texts<'_>, rows: usize, builders: &mut [Builder]) -> ArrayRef {
        let mut rest = StringBuilder::with_capacity(rows, 0);
        let mut left = String::new();
        let places: HashMap<&str, usize> =
            self.places.iter().filter(|((j, _), _)| *j == json).map(|((_, key), at)| (key.as_str(), *at)).collect();
        for row in 0..rows {
            left.clear();
            for (key, raw) in json::pairs(texts.get(row).unwrap_or_default()) {
                let place = places.get(key).copied();
                if place.is_some_and(|at| builders[at].put(row, Seen::in_json(raw))) {
                    continue;
                }
                if place.is_some() {
                    self.mixed.insert(format!("{json}.{key}"));
                }
                left.push(if left.is_empty() { '{' } else { ',' });
                json::push(&mut left, format_args!("\"{key}\":{raw}"));
            }
            if left.is_empty() {
                rest.append_null();
            } else {
                left.push('}');
                rest.append_value(&left);
            }
        }
        Arc::new(rest.finish())
    }

    /// Promoted keys of which some values had another type than their column.
    pub(crate) fn mixed(&self) -> Vec<String> {
        self.mixed.iter().cloned().collect()
    }
}

enum Builder {
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Flag(BooleanBuilder),
}

impl Builder {
    fn new(kind: Type) -> Builder {
        match kind {
            Type::Text => Builder::Text(StringBuilder::new()),
            Type::Int => Builder::Int(Int64Builder::new()),
            Type::Float => Builder::Float(Float64Builder::new()),
            Type::Flag => Builder::Flag(BooleanBuilder::new()),
        }
    }

    /// Takes the value for this row, if it is of the column's type and the row has none yet.
    fn put(&mut self, row: usize, seen: Option<Seen<'_>>) -> bool {
        use arrow::array::ArrayBuilder;
        match (self, seen) {
            (Builder::Text(b), Some(Seen::Text(text))) if b.len() <= row => {
                b.append_nulls(row - b.len());
                b.append_value(text);
            }
            (Builder::Int(b), Some(Seen::Int(value))) if b.len() <= row => {
                b.append_nulls(row - b.len());
                b.append_value(value);
            }
            (Builder::Float(b), Some(Seen::Float(value))) if b.len() <= row => {
                b.append_nulls(row - b.len());
                b.append_value(value);
            }
            (Builder::Flag(b), Some(Seen::Flag(value))) if b.len() <= row => {
                b.append_nulls(row - b.len());
                b.append_value(value);
            }
            _ => return false,
        }
        true
    }

    fn finish(self, rows: usize) -> ArrayRef {
        use arrow::array::ArrayBuilder;
        match self {
            Builder::Text(mut b) => {
                b.append_nulls(rows - b.len());
                Arc::new(b.finish())
            }
            Builder::Int(mut b) => {
                b.append_nulls(rows - b.len());
                Arc::new(b.finish())
            }
            Builder::Float(mut b) => {
                b.append_nulls(rows - b.len());
                Arc::new(b.finish())
            }
            Builder::Flag(mut b) => {
                b.append_nulls(rows - b.len());
                Arc::new(b.finish())
            }
        }
    }
}
