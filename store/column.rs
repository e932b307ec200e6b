//! Reading the columns of a scanned batch without matching on Arrow's types. A column that is not there reads as null in every row.

use arrow::array::{Array, AsArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

/// A column of text, plain or by dictionary.
#[derive(Clone, Copy, Debug)]
pub enum Texts<'a> {
    /// Plain.
    Plain(&'a StringArray),
    /// By dictionary, and the dictionary's values.
    Shared(&'a DictionaryArray<Int32Type>, &'a StringArray),
    /// Not there, or not text.
    Missing,
}

impl<'a> Texts<'a> {
    /// The column of this name.
    #[must_use]
    pub fn of(batch: &'a RecordBatch, name: &str) -> Texts<'a> {
        batch.column_by_name(name).map_or(Texts::Missing, |c| Texts::in_array(c.as_ref()))
    }

    /// This array.
    #[must_use]
    pub fn in_array(array: &'a dyn Array) -> Texts<'a> {
        if let Some(plain) = array.as_string_opt::<i32>() {
            return Texts::Plain(plain);
        }
        match array.as_dictionary_opt::<Int32Type>() {
            Some(shared) => shared.values().as_string_opt::<i32>().map_or(Texts::Missing, |values| Texts::Shared(shared, values)),
            None => Texts::Missing,
        }
    }

    /// The text in this row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Plain(array) => (row < array.len() && array.is_valid(row)).then(|| array.value(row)),
            Texts::Shared(array, values) => {
                (row < array.len()).then(|| array.key(row)).flatten().filter(|k| values.is_valid(*k)).map(|k| values.value(k))
            }
            Texts::Missing => None,
        }
    }
}

/// A column of integers.
#[derive(Clone, Copy, Debug)]
pub struct Ints<'a>(Option<&'a Int64Array>);

impl<'a> Ints<'a> {
    /// The column of this name.
    #[must_use]
    pub fn of(batch: &'a RecordBatch, name: &str) -> Ints<'a> {
        Ints(batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>()))
    }

    /// The integer in this row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<i64> {
        self.0.filter(|a| row < a.len() && a.is_valid(row)).map(|a| a.value(row))
    }

    /// The time in this row, in nanoseconds; 0 when it is null.
    #[must_use]
    pub fn time(&self, row: usize) -> u64 {
        self.get(row).and_then(|t| u64::try_from(t).ok()).unwrap_or(0)
    }
}

/// A column of doubles.
#[derive(Clone, Copy, Debug)]
pub struct Floats<'a>(Option<&'a Float64Array>);

impl<'a> Floats<'a> {
    /// The column of this name.
    #[must_use]
    pub fn of(batch: &'a RecordBatch, name: &str) -> Floats<'a> {
        Floats(batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Float64Type>()))
    }

    /// The double in this row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<f64> {
        self.0.filter(|a| row < a.len() && a.is_valid(row)).map(|a| a.value(row))
    }
}

/// The flag of this column in this row.
#[must_use]
pub fn flag(batch: &RecordBatch, name: &str, row: usize) -> Option<bool> {
    let flags: &BooleanArray = batch.column_by_name(name)?.as_boolean_opt()?;
    (row < flags.len() && flags.is_valid(row)).then(|| flags.value(row))
}
