//! Lists of numbers as pco files (the standalone format of the crate `pco`, which promises to read what any 1.x wrote).

use pco::{ChunkConfig, DeltaSpec, ModeSpec, data_types::Number, standalone};

/// Beyond it pco takes twice the time for a hundredth of the bytes.
const LEVEL: usize = 8;

/// Numbers in a file at the most; a chunk has fewer.
const NUMBERS_MAX: usize = 1 << 24;

/// Times: their steps mostly repeat, so that the other forms need not be tried.
pub(super) fn pack_times(times: &[i64]) -> Result<Vec<u8>, String> {
    pack_as(times, ChunkConfig::default().with_mode_spec(ModeSpec::Classic).with_delta_spec(DeltaSpec::TryConsecutive(1)))
}

/// Any numbers.
pub(super) fn pack<T: Number>(numbers: &[T]) -> Result<Vec<u8>, String> {
    pack_as(numbers, ChunkConfig::default())
}

fn pack_as<T: Number>(numbers: &[T], config: ChunkConfig) -> Result<Vec<u8>, String> {
    standalone::simple_compress(numbers, &config.with_compression_level(LEVEL)).map_err(|e| e.to_string())
}

/// Exactly this many numbers.
pub(super) fn unpack<T: Number + Default>(packed: &[u8], numbers: usize) -> Result<Vec<T>, String> {
    if numbers > NUMBERS_MAX {
        return Err(format!("a chunk says that it has {numbers} numbers"));
    }
    let mut unpacked = vec![T::default(); numbers];
    let progress = standalone::simple_decompress_into(packed, &mut unpacked).map_err(|e| e.to_string())?;
    if progress.n_processed != numbers {
        return Err(format!("{numbers} numbers should be in a chunk, {} are", progress.n_processed));
    }
    Ok(unpacked)
}

/// All the numbers there are.
pub(super) fn unpack_all<T: Number>(packed: &[u8]) -> Result<Vec<T>, String> {
    standalone::simple_decompress(packed).map_err(|e| e.to_string())
}

/// Whether these are integers; else they are doubles.
pub(super) fn are_integers(packed: &[u8]) -> Result<bool, String> {
    let (file, rest) = standalone::FileDecompressor::new(packed).map_err(|e| e.to_string())?;
    let kind = file.peek_number_type_or_termination(rest).map_err(|e| e.to_string())?;
    Ok(kind == Some(pco::data_types::NumberType::I64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back_and_damage_is_an_error(numbers in prop::collection::vec(prop_oneof![any::<i64>(), 0..9_i64], 1..600), at in any::<prop::sample::Index>(), bits in 1..255_u8) {
            for packed in [pack(&numbers).unwrap(), pack_times(&numbers).unwrap()] {
                prop_assert!(are_integers(&packed).unwrap());
                prop_assert_eq!(&unpack::<i64>(&packed, numbers.len()).unwrap(), &numbers);
                prop_assert_eq!(&unpack_all::<i64>(&packed).unwrap(), &numbers);
                prop_assert!(unpack::<i64>(&packed, numbers.len() + 1).is_err());
                let mut damaged = packed.clone();
                damaged[at.index(packed.len())] ^= bits;
                for damaged in [&damaged[..], &packed[..at.index(packed.len())]] {
                    // Other numbers or an error, and no panic.
                    let read = unpack::<i64>(damaged, numbers.len());
                    prop_assert!(read.is_err() || read.is_ok_and(|read| read.len() == numbers.len()));
                }
            }
        }
    }
}
