//! Takes flows apart by key, for lanes that each have all of a key. Spans and logs go by their trace, a metric and a log without a trace by their
//! resource. Records are copied as they are encoded, with what stands around them once per lane, so that nobody's request is kept for a few records of it.

use crate::{
    Batch, Checked, Chunk, Flow, Ordinals, Trace,
    layout::{By, Copy, Guess, Key, Layout},
};

/// The lane, of so many, that has all of a key: for a trace the low half of its id.
#[must_use]
pub fn lane_of(key: u64, lanes: usize) -> usize {
    // Mixed, since ids may be counted up, or chosen by their low bits on the way here.
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from((mixed * lanes as u64) >> 32).unwrap_or(0)
}

impl Flow {
    /// A flow for each lane, empty where nothing is for it. Each has its copy of the promise, and its records keep their order, origin and ordinals.
    #[must_use]
    pub fn spread(self, lanes: usize) -> Vec<Flow> {
        match self {
            flow if lanes <= 1 => vec![flow],
            Flow::Batch(batch) => batch.spread(lanes, |key| lane_of(key.number(), lanes)).into_iter().map(Flow::Batch).collect(),
            Flow::Traces(traces) => {
                let mut spread: Vec<Vec<Trace>> = (0..lanes).map(|_| Vec::new()).collect();
                for trace in traces {
                    if let Some(lane) = spread.get_mut(lane_of(trace.id.low(), lanes)) {
                        lane.push(trace);
                    }
                }
                spread.into_iter().map(Flow::Traces).collect()
            }
        }
    }
}

impl Batch {
    /// A batch for each of so many, at least one, by what `lane_of` says of each key; as `Flow::spread`. It is asked once for neighbours of one key.
    #[must_use]
    pub fn spread(self, lanes: usize, mut lane_of: impl FnMut(Key) -> usize) -> Vec<Batch> {
        let mut spread: Vec<Batch> = (0..lanes).map(|_| Batch::empty(self.signal)).collect();
        let mut last = None;
        let mut of_key = |key: Key| match last {
            Some((same, lane)) if same == key => lane,
            _ => {
                let lane = lane_of(key).min(lanes.saturating_sub(1));
                last = Some((key, lane));
                lane
            }
        };
        for chunk in self.chunks {
            let layout = Layout::of(self.signal, &chunk, By::Key, &mut of_key);
            if let Some(lane) = layout.only_share() {
                // Nothing of it goes elsewhere: it need not be copied.
                spread[lane].chunks.push(chunk);
                continue;
            }
            for (batch, copy) in spread.iter_mut().zip(copies(&layout, &chunk, lanes)) {
                batch.chunks.extend(copy);
            }
        }
        spread.iter_mut().filter(|batch| !batch.chunks.is_empty()).for_each(|batch| batch.ack = self.ack.clone());
        spread
    }
}

/// What each lane gets of a chunk.
fn copies(layout: &Layout, chunk: &Chunk, lanes: usize) -> Vec<Option<Chunk>> {
    let mut sizes = vec![(0, 0); lanes];
    for piece in &layout.pieces {
        let (bytes, records) = &mut sizes[piece.share];
        *bytes += piece.bytes.len();
        *records += piece.records;
    }
    let heads = layout.heads_bytes();
    let copy =
        |(bytes, records): &(usize, usize)| (Copy::of(Vec::with_capacity(bytes + heads.min(bytes * 4))), Vec::with_capacity(*records));
    let mut copies: Vec<(Copy, Vec<u32>)> = sizes.iter().map(copy).collect();
    for piece in &layout.pieces {
        let (copy, ordinals) = &mut copies[piece.share];
        copy.push(layout, piece, &chunk.bytes.0, Guess::Alike);
        ordinals.extend((piece.first..piece.first + piece.records).map(|n| chunk.ordinal(n)));
    }
    let finish = |(mut copy, ordinals): (Copy, Vec<u32>)| {
        copy.leave();
        let records = ordinals.len();
        (records > 0).then(|| {
            Chunk::new(Checked(copy.out.into()), records, chunk.origin, Ordinals::of(ordinals), chunk.arrived).written_before(chunk.before)
        })
    };
    copies.into_iter().map(finish).collect()
}
