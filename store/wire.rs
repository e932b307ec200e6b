//! A reader of protobuf fields for what the views do not show: dropped counts, link flags, entity references.
//! Reads only bytes that `check` let through; should they be broken all the same, it ends early instead of failing.

/// The number in a singular integer field; 0 when it is not there. The last one written counts.
pub(crate) fn count(message: &[u8], number: u32) -> u64 {
    let numbers = Fields { rest: message }.filter_map(|field| match field {
        (n, Field::Number(value)) if n == number => Some(value),
        _ => None,
    });
    numbers.last().unwrap_or(0)
}

/// Every message, string or bytes in a field.
pub(crate) fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields { rest: message }.filter_map(move |field| match field {
        (n, Field::Bytes(bytes)) if n == number => Some(bytes),
        _ => None,
    })
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).ok()?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut self.rest)?),
            1 => Field::Number(u64::from_le_bytes(take(&mut self.rest, 8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).ok()?;
                Field::Bytes(take(&mut self.rest, length)?)
            }
            5 => Field::Number(u64::from(u32::from_le_bytes(take(&mut self.rest, 4)?.try_into().ok()?))),
            _ => return None,
        };
        Some((number, field))
    }
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *from.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::{Span, span::Link};
    use prost::Message;

    #[test]
    fn fields_are_what_prost_wrote() {
        let link = Link { flags: 0x301, dropped_attributes_count: 300, ..Default::default() };
        let span = Span { name: "a".into(), links: vec![link.clone(), link], dropped_links_count: 7, ..Default::default() }.encode_to_vec();
        assert_eq!(count(&span, 14), 7);
        let links: Vec<_> = messages(&span, 13).map(|l| (count(l, 6), count(l, 5))).collect();
        assert_eq!(links, [(0x301, 300), (0x301, 300)]);
        assert_eq!(count(&span, 10), 0);
    }

    #[test]
    fn broken_bytes_end_early() {
        for broken in [&[0xff_u8; 12][..], &[0x0a, 0xff, 0xff, 0xff, 0x0f, 1], &[0x09, 1, 2], &[0x0b]] {
            assert_eq!(Fields { rest: broken }.count(), 0);
        }
    }
}
