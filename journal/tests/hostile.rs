//! Whatever lies in the folder, well formed or not, with any numbers: it opens, gives out nothing that nobody wrote, and takes the next. The fuzz target
//! `journal` goes further.

use super::*;
use crate::stamp::{self, Of};
use crate::{Disk, cursors, dump, inspect, record};
use proptest::prelude::*;
use std::ops::ControlFlow;

#[derive(Clone, Debug)]
enum Piece {
    Any(Vec<u8>),
    Record { kind: Kind, sequence: u64, payload: Vec<u8> },
}

fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![0..9u64, Just(u64::MAX), Just(u64::MAX - 1), Just(1 << 62), any::<u64>()]
}

fn piece() -> impl Strategy<Value = Piece> {
    let kind = prop::sample::select(vec![Kind::Data, Kind::Decision, Kind::Mark]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Piece::Any),
        (kind, edge(), prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, sequence, payload)| Piece::Record {
            kind,
            sequence,
            payload
        }),
    ]
}

fn written(pieces: &[Piece], id: u32, out: &mut Vec<u8>) {
    for piece in pieces {
        match piece {
            Piece::Any(bytes) => out.extend_from_slice(bytes),
            Piece::Record { kind, sequence, payload } => {
                let part = Bytes::from(payload.clone());
                let length = u32::try_from(payload.len()).unwrap();
                out.extend_from_slice(&record::encode(id, *sequence, header(*kind), length, record::payload_sum(id, &[part])));
                out.extend_from_slice(payload);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_folder_with_anything_in_it_opens_and_goes_on(
        left in 0..200usize, behind in prop::collection::vec(piece(), 0..4), more in prop::collection::vec((edge(), any::<bool>(), prop::collection::vec(piece(), 0..4)), 0..3),
        slot in prop::option::of((edge(), edge())), unread in any::<bool>(),
    ) {
        let disk = SimulatedDisk::new();
        let (log, _) = open(&disk, SMALL).unwrap();
        fill(&log, 0..3, 40);
        let id = log.id();
        drop(log);
        let path = |name: &str| Path::new(DIR).join(name);
        disk.damage(&path(&stamp::segment_name(1)), |bytes| {
            bytes.truncate(left);
            written(&behind, id, bytes);
        });
        for (base, stamped, pieces) in &more {
            let mut bytes = if *stamped { stamp::encode(Of::Segment, id, *base).to_vec() } else { Vec::new() };
            written(pieces, id, &mut bytes);
            // A name that is taken stays as it is.
            drop(disk.write_new(&path(&stamp::segment_name(*base)), &[bytes.into()]));
        }
        if let Some((generation, mark)) = slot {
            let content = cursors::encode(id, generation, &[("sink".to_owned(), mark)].into()).unwrap();
            disk.damage(&path("cursors"), |bytes| *bytes = content);
        }
        if unread {
            disk.damage(&path("meta"), Vec::clear);
        }
        let pieces = behind.iter().chain(more.iter().flat_map(|(.., pieces)| pieces));
        let forged = |piece: &Piece| if let Piece::Record { payload, .. } = piece { Some(payload.clone()) } else { None };
        let mut known: Vec<Vec<u8>> = pieces.filter_map(forged).collect();
        known.extend((0..3).map(|number| payload(number, 40).concat()));
        inspect(&disk, Path::new(DIR)).unwrap();
        dump(&disk, Path::new(DIR), 0, &mut |_| ControlFlow::Continue(())).unwrap();
        let (log, _) = open(&disk, SMALL).unwrap();
        let before = read_all(&mut log.reader(0));
        prop_assert!(before.iter().all(|entry| known.iter().any(|payload| *payload == entry.payload)), "nobody wrote this");
        prop_assert!(before.is_sorted_by(|a, b| a.sequence < b.sequence));
        // Full: the numbers are used up.
        let Ok(number) = append_committed(&log, 77, 40) else { return Ok(()) };
        prop_assert!(before.iter().all(|entry| entry.sequence < number), "{number} was given before");
        let after = read_all(&mut log.reader(0));
        prop_assert_eq!(after.last().map(|entry| entry.sequence), Some(number));
        drop(log);
        prop_assert_eq!(read_all(&mut open(&disk, SMALL).unwrap().0.reader(0)).len(), after.len());
    }
}
