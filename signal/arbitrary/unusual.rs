//! Legal encodings that no encoder writes by itself: fields in any order, messages in pieces, scalars given twice, unknown fields, long varints, arrays half packed.

use super::Draw;
use crate::{
    Signal,
    check::schema::{Message, Shape, Times, request},
    wire::{Fields, Wire, put_varint, varint},
};

/// The same request, encoded otherwise.
pub(crate) fn unusual(draw: &mut Draw, signal: Signal, raw: &[u8]) -> Vec<u8> {
    message(draw, request(signal), raw)
}

/// A field's number and its encoding, tag included.
type Piece = (u32, Vec<u8>);

fn message(draw: &mut Draw, known: &'static Message, bytes: &[u8]) -> Vec<u8> {
    let mut pieces: Vec<Piece> = Vec::new();
    for field in Fields::of(bytes) {
        let Some(rule) = known.known(field.number) else { continue };
        let number = field.number;
        match (rule.shape, field.value) {
            (Shape::Inner(inner), Wire::Bytes(content)) => {
                let content = message(draw, inner, content);
                let cut = if matches!(rule.times, Times::Once(_)) && draw.chance(15) { part(draw, &content) } else { content.len() };
                pieces.push((number, delimited(draw, number, &content[..cut])));
                if cut < content.len() {
                    pieces.push((number, delimited(draw, number, &content[cut..])));
                }
            }
            (Shape::Fixed64s | Shape::Varints, Wire::Bytes(packed)) => array(draw, &mut pieces, number, rule.shape, packed),
            (_, value) => {
                if rule.times == Times::Last && draw.chance(10) {
                    let other = match value {
                        Wire::Bytes(_) => Wire::Bytes(b"overruled"),
                        Wire::Varint(_) => Wire::Varint(3),
                        Wire::Fixed64(_) => Wire::Fixed64(4),
                        Wire::Fixed32(_) => Wire::Fixed32(5),
                    };
                    pieces.push((number, encoded(draw, number, other)));
                } else if matches!(rule.times, Times::Once(_)) && draw.chance(5) {
                    pieces.push((number, encoded(draw, number, value)));
                }
                pieces.push((number, encoded(draw, number, value)));
            }
        }
    }
    if draw.chance(15) {
        let number = 100 + u32::from(draw.byte());
        let value = draw.pick(&[Wire::Varint(1), Wire::Fixed64(2), Wire::Bytes(b"\xff\x00"), Wire::Fixed32(3)]);
        pieces.push((number, encoded(draw, number, value)));
    }
    if draw.chance(40) {
        shuffle(draw, &mut pieces);
    }
    pieces.into_iter().flat_map(|(_, bytes)| bytes).collect()
}

/// Where to cut a message in two between fields.
fn part(draw: &mut Draw, content: &[u8]) -> usize {
    let ends: Vec<usize> = Fields::of(content).map(|f| f.end).collect();
    if ends.is_empty() { 0 } else { ends[draw.below(ends.len().min(256))] }
}

/// Some numbers packed, in several pieces, some not.
fn array(draw: &mut Draw, pieces: &mut Vec<Piece>, number: u32, shape: Shape, packed: &[u8]) {
    let mut rest = packed;
    while !rest.is_empty() {
        let mut end = 0;
        for _ in 0..=draw.below(3) {
            end = match shape {
                Shape::Varints => varint(rest, end).map_or(end, |(_, end)| end),
                _ => (end + 8).min(rest.len()),
            };
        }
        let (some, more) = rest.split_at(end);
        let one = match shape {
            Shape::Varints => varint(some, 0).ok().filter(|(_, end)| *end == some.len()).map(|(value, _)| Wire::Varint(value)),
            _ => <[u8; 8]>::try_from(some).ok().map(|eight| Wire::Fixed64(u64::from_le_bytes(eight))),
        };
        let value = one.filter(|_| draw.chance(50)).unwrap_or(Wire::Bytes(some));
        pieces.push((number, encoded(draw, number, value)));
        rest = more;
    }
}

/// Any order, but fields of one number stay in theirs.
fn shuffle(draw: &mut Draw, pieces: &mut [Piece]) {
    let numbers: Vec<u32> = pieces.iter().map(|(number, _)| *number).collect();
    let mut order = numbers.clone();
    for i in (1..order.len()).rev() {
        order.swap(i, draw.below((i + 1).min(256)));
    }
    let old = pieces.to_vec();
    let mut taken = vec![false; old.len()];
    for (piece, number) in pieces.iter_mut().zip(order) {
        let next = (0..old.len()).find(|i| !taken[*i] && numbers[*i] == number).unwrap();
        taken[next] = true;
        *piece = old[next].clone();
    }
}

fn encoded(draw: &mut Draw, number: u32, value: Wire<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_long(draw, &mut out, u64::from(number << 3 | value.kind()));
    match value {
        Wire::Varint(value) => put_long(draw, &mut out, value),
        Wire::Fixed64(value) => out.extend(value.to_le_bytes()),
        Wire::Fixed32(value) => out.extend(value.to_le_bytes()),
        Wire::Bytes(content) => {
            put_long(draw, &mut out, content.len() as u64);
            out.extend(content);
        }
    }
    out
}

fn delimited(draw: &mut Draw, number: u32, content: &[u8]) -> Vec<u8> {
    encoded(draw, number, Wire::Bytes(content))
}

/// A varint that is sometimes longer than it has to be.
fn put_long(draw: &mut Draw, out: &mut Vec<u8>, value: u64) {
    let start = out.len();
    put_varint(out, value);
    if draw.chance(5) {
        let room = 10 - (out.len() - start);
        let more = draw.below(room + 1);
        if more > 0 {
            *out.last_mut().unwrap() |= 0x80;
            out.extend(std::iter::repeat_n(0x80, more - 1));
            out.push(0);
        }
    }
}
