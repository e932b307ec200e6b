//! Content codings: gzip, deflate (zlib format), zstd. Inflating is streamed, so that a bomb is cut where it passes a limit and not after it has gone off.

use crate::body::{Grow, Limits, ReadError, tight};
use bytes::Bytes;
use flate2::{Compression, bufread, write};
use http::HeaderValue;
use std::{
    cell::Cell,
    io::{self, Read, Write},
};

/// How a body is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Coding {
    /// As it is.
    #[default]
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP and gRPC call `deflate`.
    Deflate,
    /// RFC 8878, with a window of at most 8 MiB.
    Zstd,
}

impl Coding {
    /// Every coding.
    pub const ALL: [Coding; 4] = [Coding::Identity, Coding::Gzip, Coding::Deflate, Coding::Zstd];
    /// What a body may be coded with, for `Accept-Encoding` and messages.
    pub const WORDS: &'static str = "gzip, deflate, zstd";

    /// The word in a header.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Zstd => "zstd",
        }
    }

    /// The coding that a header's value names; an empty value is `Identity`. Several at once (`gzip, gzip`) are none, because nesting only serves bombs.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Coding> {
        let word = word.trim();
        if word.is_empty() { Some(Coding::Identity) } else { Coding::ALL.into_iter().find(|c| word.eq_ignore_ascii_case(c.word())) }
    }

    /// The coding of a `Content-Encoding` or `grpc-encoding` header.
    pub fn of_header(value: Option<&HeaderValue>) -> Result<Coding, ReadError> {
        let named = value.map_or("", |value| value.to_str().unwrap_or("?"));
        Coding::of_word(named).ok_or_else(|| ReadError::UnknownCoding { named: named.to_owned() })
    }
}

/// Window of a zstd frame, as a power of two: 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Bytes inflated between two looks at the other tasks.
const STRETCH: usize = 256 << 10;
/// From here on `ratio_max` counts: thousands of equal log lines inflate as well as a bomb does, and 4 MiB harm nobody.
const RATIO_FREE: usize = 4 << 20;

/// Inflates a whole body. Asks `grow` before it allocates.
pub async fn inflate(coding: Coding, wire: Bytes, limits: &Limits, grow: Grow<'_>) -> Result<Bytes, ReadError> {
    let invalid = |error: io::Error| ReadError::Coding { coding, what: error.to_string() };
    let Some(mut reader) = reader(coding, &wire).map_err(invalid)? else { return Ok(wire) };
    let mut plain = Vec::new();
    let mut piece = Piece::new();
    let mut admitted = 0_usize;
    loop {
        let read = reader.read(&mut piece.0).map_err(invalid)?;
        let Some(data) = piece.0.get(..read).filter(|data| !data.is_empty()) else { break };
        let needed = plain.len().saturating_add(data.len());
        if needed > limits.plain_bytes_max {
            return Err(ReadError::TooLargeInflated { coding, max: limits.plain_bytes_max });
        }
        if needed > RATIO_FREE && needed > wire.len().saturating_mul(limits.ratio_max) {
            return Err(ReadError::Bomb { coding, ratio_max: limits.ratio_max });
        }
        if needed > admitted {
            let target = admitted.saturating_mul(2).max(needed).min(limits.plain_bytes_max);
            grow(target - admitted).map_err(ReadError::NoRoom)?;
            plain.reserve_exact(target - plain.len());
            admitted = target;
        }
        plain.extend_from_slice(data);
        if plain.len() >= STRETCH {
            tokio::task::yield_now().await;
        }
    }
    Ok(tight(plain))
}

thread_local! {
    /// The piece that nobody inflates into, so that not every body makes one of zeros.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What is inflated into.
struct Piece(Vec<u8>);

impl Piece {
    fn new() -> Piece {
        let mut piece = SPARE.take();
        piece.resize(STRETCH, 0);
        Piece(piece)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        SPARE.set(std::mem::take(&mut self.0));
    }
}

fn reader(coding: Coding, wire: &[u8]) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
    Ok(match coding {
        Coding::Identity => None,
        Coding::Gzip => Some(Box::new(bufread::MultiGzDecoder::new(wire))),
        Coding::Deflate => Some(Box::new(bufread::ZlibDecoder::new(wire))),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(wire)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Some(Box::new(decoder))
        }
    })
}

/// Compresses pieces into one body, at the fastest level: the network is cheaper than the cores.
pub fn compress(coding: Coding, pieces: &[Bytes]) -> io::Result<Bytes> {
    let total: usize = pieces.iter().map(Bytes::len).sum();
    let out = Vec::with_capacity(total / 4);
    Ok(match coding {
        Coding::Identity => Bytes::from(pieces.concat()),
        Coding::Gzip => {
            let mut to = write::GzEncoder::new(out, Compression::fast());
            write_all(&mut to, pieces)?;
            to.finish()?.into()
        }
        Coding::Deflate => {
            let mut to = write::ZlibEncoder::new(out, Compression::fast());
            write_all(&mut to, pieces)?;
            to.finish()?.into()
        }
        Coding::Zstd => {
            let mut to = zstd::stream::write::Encoder::new(out, 1)?;
            write_all(&mut to, pieces)?;
            to.finish()?.into()
        }
    })
}

fn write_all(to: &mut impl Write, pieces: &[Bytes]) -> io::Result<()> {
    pieces.iter().try_for_each(|piece| to.write_all(piece))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::NoRoom;
    use std::time::Duration;

    const CODED: [Coding; 3] = [Coding::Gzip, Coding::Deflate, Coding::Zstd];

    async fn inflated(coding: Coding, wire: &[u8], limits: &Limits) -> Result<Bytes, ReadError> {
        inflate(coding, Bytes::copy_from_slice(wire), limits, &mut |_| Ok(())).await
    }

    fn zeros(coding: Coding, mebibytes: usize) -> Bytes {
        let zeros = vec![0; mebibytes << 20];
        match coding {
            Coding::Gzip => packed(write::GzEncoder::new(Vec::new(), Compression::best()), &zeros, |to| to.finish()),
            Coding::Deflate => packed(write::ZlibEncoder::new(Vec::new(), Compression::best()), &zeros, |to| to.finish()),
            _ => compress(coding, &[Bytes::from(zeros)]).unwrap(),
        }
    }

    fn packed<W: Write>(mut to: W, plain: &[u8], finish: impl FnOnce(W) -> io::Result<Vec<u8>>) -> Bytes {
        to.write_all(plain).unwrap();
        finish(to).unwrap().into()
    }

    #[tokio::test]
    async fn what_was_compressed_comes_back() {
        let text: Vec<u8> = (0..60_000_u32).flat_map(|n| format!("GET /cart/{n} took {} ms\n", n % 977).into_bytes()).collect();
        for coding in CODED {
            let pieces = [Bytes::copy_from_slice(&text[..1_000]), Bytes::copy_from_slice(&text[1_000..])];
            let wire = compress(coding, &pieces).unwrap();
            assert!(wire.len() < text.len());
            let mut asked = 0;
            let mut grow = |bytes: usize| {
                asked += bytes;
                Ok(())
            };
            let plain = inflate(coding, wire, &Limits::default(), &mut grow).await.unwrap();
            assert!(plain == text && asked >= text.len() && asked <= 2 * text.len(), "{coding:?} {asked}");
        }
    }

    #[tokio::test]
    async fn a_bomb_is_cut_by_its_ratio_and_by_its_size() {
        for coding in CODED {
            let bomb = zeros(coding, 6);
            let said = inflated(coding, &bomb, &Limits::default()).await.unwrap_err();
            assert_eq!(said, ReadError::Bomb { coding, ratio_max: 200 });
            let patient = Limits { ratio_max: usize::MAX, plain_bytes_max: 2 << 20, ..Limits::default() };
            let said = inflated(coding, &bomb, &patient).await.unwrap_err();
            assert_eq!(said, ReadError::TooLargeInflated { coding, max: 2 << 20 });
        }
    }

    #[tokio::test]
    async fn equal_log_lines_are_no_bomb() {
        let lines =
            r#"{"severityText":"INFO","body":{"stringValue":"GET /healthz 200"},"attributes":[{"key":"a","value":{}}]},"#.repeat(16_000);
        for coding in CODED {
            let wire = compress(coding, &[Bytes::from(lines.clone())]).unwrap();
            let plain = inflated(coding, &wire, &Limits::default()).await.unwrap();
            assert!(plain == lines && (coding != Coding::Zstd || lines.len() > 1_000 * wire.len()), "{coding:?} {}", wire.len());
        }
    }

    #[tokio::test]
    async fn nothing_is_buffered_that_was_not_admitted() {
        let mut held = 0;
        let mut grow = |bytes: usize| {
            if held + bytes > 1 << 20 {
                return Err(NoRoom { after: Duration::from_secs(1), what: "full".into() });
            }
            held += bytes;
            Ok(())
        };
        let said = inflate(Coding::Gzip, zeros(Coding::Gzip, 6), &Limits::default(), &mut grow).await.unwrap_err();
        assert!(matches!(said, ReadError::NoRoom(_)), "{said}");
    }

    #[tokio::test]
    async fn a_zstd_window_over_8_mib_is_refused() {
        let mut to = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        to.window_log(25).unwrap();
        to.include_contentsize(false).unwrap();
        to.write_all(&vec![7; 1 << 20]).unwrap();
        let wire = to.finish().unwrap();
        let said = inflated(Coding::Zstd, &wire, &Limits::default()).await.unwrap_err();
        assert!(matches!(said, ReadError::Coding { .. }), "{said}");
    }

    #[tokio::test]
    async fn broken_and_cut_bodies_are_refused() {
        for coding in CODED {
            let whole = compress(coding, &[Bytes::from_static(b"some telemetry, some telemetry")]).unwrap();
            for wire in [&whole[..whole.len() - 3], b"plainly not compressed".as_slice()] {
                let said = inflated(coding, wire, &Limits::default()).await;
                assert!(matches!(said, Err(ReadError::Coding { .. })), "{coding:?} {wire:?} {said:?}");
            }
        }
    }

    #[test]
    fn several_codings_at_once_are_unknown() {
        assert_eq!(Coding::of_word("GZip "), Some(Coding::Gzip));
        assert_eq!(Coding::of_word(""), Some(Coding::Identity));
        assert_eq!(Coding::of_word("gzip, gzip"), None);
        assert_eq!(Coding::of_word("br"), None);
    }
}
