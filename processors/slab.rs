//! Values by number, in blocks that never move: a million of them grow without being copied, and a number is used again once its value was taken out.

/// Values in a block.
const BLOCK: usize = 1 << 10;

pub(crate) struct Slab<T> {
    blocks: Vec<Vec<T>>,
    unused: Vec<u32>,
    taken: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { blocks: Vec::new(), unused: Vec::new(), taken: 0 }
    }
}

impl<T: Default> Slab<T> {
    /// Values in it.
    pub(crate) fn len(&self) -> usize {
        self.taken
    }

    /// Puts a value in and returns its number.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.taken += 1;
        if let Some(number) = self.unused.pop() {
            if let Some(place) = self.get_mut(number) {
                *place = value;
            }
            return number;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let full = (self.blocks.len() - 1) * BLOCK;
        let Some(block) = self.blocks.last_mut() else { return u32::MAX };
        block.push(value);
        u32::try_from(full + block.len() - 1).unwrap_or(u32::MAX)
    }

    /// The value of a number that was given out and not taken back.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.blocks.get(number as usize / BLOCK)?.get(number as usize % BLOCK)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.blocks.get_mut(number as usize / BLOCK)?.get_mut(number as usize % BLOCK)
    }

    /// Takes a value out. When none is left all blocks are given back.
    pub(crate) fn remove(&mut self, number: u32) -> T {
        let Some(place) = self.get_mut(number) else { return T::default() };
        let value = std::mem::take(place);
        self.taken -= 1;
        if self.taken == 0 {
            *self = Slab::default();
        } else {
            self.unused.push(number);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_its_value_until_it_is_taken_out() {
        let mut slab = Slab::default();
        let numbers: Vec<u32> = (0..3_000).map(|n| slab.insert(n)).collect();
        assert!(numbers.iter().all(|number| slab.get(*number) == Some(number)));
        assert_eq!((slab.remove(7), slab.remove(2_000), slab.len()), (7, 2_000, 2_998));
        assert_eq!((slab.insert(1), slab.insert(2)), (2_000, 7));
        assert_eq!((0..3_000).map(|number| slab.remove(number)).filter(|value| *value > 2).count(), 2_995);
        assert_eq!((slab.len(), slab.insert(5)), (0, 0));
    }
}
