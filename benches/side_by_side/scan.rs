//! Counts what a request holds by walking its wire format: written apart from the product's own reader, which is what is judged.

use crate::payload::Signal;

/// The next field's number and, if it is length-delimited, its bytes: `Some(None)` is the end, `None` is malformed.
type Field<'a> = Option<(u64, Option<&'a [u8]>)>;

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (i, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.0 = &self.0[i + 1..];
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn read(&mut self) -> Option<Field<'a>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let bytes = match tag & 7 {
            0 => self.varint().map(|_| None)?,
            1 => self.skip(8).map(|_| None)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Some(self.skip(length)?)
            }
            5 => self.skip(4).map(|_| None)?,
            _ => return None,
        };
        Some(Some((tag >> 3, bytes)))
    }
}

/// Calls `work` with every length-delimited field whose number is among these.
fn each<'a>(bytes: &'a [u8], numbers: &[u64], mut work: impl FnMut(&'a [u8]) -> Option<()>) -> Option<()> {
    let mut fields = Fields(bytes);
    while let Some((number, bytes)) = fields.read()? {
        if let Some(bytes) = bytes.filter(|_| numbers.contains(&number)) {
            work(bytes)?;
        }
    }
    Some(())
}

/// How many spans, log records or data points an export request holds; `None` if it is malformed.
pub(crate) fn count(signal: Signal, request: &[u8]) -> Option<u64> {
    let mut items = 0;
    let mut one = |_: &[u8]| {
        items += 1;
        Some(())
    };
    each(request, &[1], |resource| {
        each(resource, &[2], |scope| {
            each(scope, &[2], |item| match signal {
                Signal::Traces | Signal::Logs => one(item),
                // The five kinds of data of a metric, each with its points in field 1.
                Signal::Metrics => each(item, &[5, 7, 9, 10, 11], |data| each(data, &[1], &mut one)),
            })
        })
    })?;
    Some(items)
}

/// The count of rejected items in an export response: field 1 of its partial success, field 1.
pub(crate) fn rejected(response: &[u8]) -> u64 {
    let mut rejected = 0;
    // A response that does not scan rejects nothing.
    let _malformed = each(response, &[1], |partial| {
        let mut fields = Fields(partial);
        while !fields.0.is_empty() {
            if fields.varint()? == 1 << 3 {
                rejected = fields.varint()?;
            } else {
                return Some(());
            }
        }
        Some(())
    });
    rejected
}
