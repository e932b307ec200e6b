//! Which partition a key goes to, by the hash that the other clients use, written down here a second time.

use crate::{
    calm, gateway,
    offered::{TRACES, export, spans},
};
use kit::{Kansoku, kafka::read, until};

const PARTITIONS: u32 = 4;

/// Java's `Utils.murmur2` and `toPositive`.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(key.len()).unwrap();
    let mut fours = key.chunks_exact(4);
    for four in &mut fours {
        let mut k = u32::from_le_bytes(four.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = fours.remainder();
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15) & 0x7fff_ffff
}

/// Go's `fnv.New32a`, as sarama's hash partitioner takes its absolute value.
fn fnv1a(key: &[u8]) -> u32 {
    let hash = key.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed().unsigned_abs()
}

/// zlib's.
fn crc32(key: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !key.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn the_hashes_are_those_that_others_publish() {
    // Apache Kafka, UtilsTest.java; the FNV page of its authors; the CRC catalogue.
    assert_eq!(murmur2(b"21"), 0x7fff_ffff & (-973_932_308_i32).cast_unsigned());
    assert_eq!(murmur2(b"foobar"), 0x7fff_ffff & (-790_332_482_i32).cast_unsigned());
    assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968_u32.cast_signed().unsigned_abs());
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn a_key_goes_where_other_clients_would_put_it() {
    type Hash = fn(&[u8]) -> u32;
    let Some((broker, _calm)) = calm() else { return };
    let hashes: [(&str, Hash); 3] = [("murmur2", murmur2), ("fnv1a", fnv1a), ("crc32", crc32)];
    for (partitioner, hash) in hashes {
        let (folder, topic) = (tempfile::tempdir().unwrap(), format!("by_{partitioner}"));
        let more = format!("    partitioner: {partitioner}\n");
        let kansoku = Kansoku::run(folder.path(), &gateway(&broker.address(), &topic, &more));
        export(&kansoku, TRACES, &spans((0..200).map(|trace| (trace, 0)), "GET /cart"));
        until("all is out", || (kansoku.count("hop", "traces", "out") == 200).then_some(()));
        let messages = read(&broker.address(), &topic);
        assert_eq!(messages.len(), 200);
        for message in messages {
            let key = message.key.unwrap();
            assert_eq!(
                u32::try_from(message.partition).unwrap(),
                hash(&key) % PARTITIONS,
                "{partitioner} of {}",
                String::from_utf8_lossy(&key)
            );
        }
    }
}
