//! Reading a request's body: admitted before it is buffered, capped in bytes and in time.

use crate::{Code, Coding};
use bytes::Bytes;
use http::{Extensions, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use std::{
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout, timeout_at};

/// What a body may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes as they come over the wire.
    pub wire_bytes_max: usize,
    /// Bytes after inflating.
    pub plain_bytes_max: usize,
    /// How many times larger than on the wire it may get, once it is past the first 4 MiB.
    pub ratio_max: usize,
    /// From the headers to the last byte.
    pub time_max: Duration,
    /// Bytes a second that a client must manage after `grace`.
    pub rate_min: u32,
    /// How long a client may be slower than `rate_min`.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wire_bytes_max: 16 << 20,
            plain_bytes_max: 64 << 20,
            ratio_max: 200,
            time_max: Duration::from_secs(30),
            rate_min: 1_024,
            grace: Duration::from_secs(10),
        }
    }
}

/// Asked before more bytes are buffered; whoever is asked may refuse.
pub type Grow<'a> = &'a mut (dyn FnMut(usize) -> Result<(), NoRoom> + Send);

/// The memory budget is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// When to try again.
    pub after: Duration,
    /// What is full, in words.
    pub what: String,
}

/// Why a body was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// More bytes on the wire than allowed.
    #[error("the body is larger than the {} MiB that are taken", max >> 20)]
    TooLarge {
        /// Bytes that are allowed.
        max: usize,
    },
    /// More bytes than allowed once inflated.
    #[error("the {} body inflates to more than the {} MiB that are taken", coding.word(), max >> 20)]
    TooLargeInflated {
        /// How it was coded.
        coding: Coding,
        /// Bytes that are allowed.
        max: usize,
    },
    /// Inflates too well to be telemetry.
    #[error("the {} body inflates to more than {ratio_max} times its size", coding.word())]
    Bomb {
        /// How it was coded.
        coding: Coding,
        /// Times that are allowed.
        ratio_max: usize,
    },
    /// `grow` refused.
    #[error("{}", .0.what)]
    NoRoom(NoRoom),
    /// Slower than `rate_min`, or longer than `time_max`.
    #[error("the body came too slowly: {bytes} bytes in {} s", seconds)]
    Slow {
        /// That came.
        bytes: usize,
        /// In which they came.
        seconds: u64,
    },
    /// The connection or the framing broke.
    #[error("the body broke off after {bytes} bytes ({what})")]
    Broken {
        /// That came.
        bytes: usize,
        /// The transport's words.
        what: String,
    },
    /// Coded in a way that is not known here.
    #[error("the coding `{named}` is not taken; use {}", Coding::WORDS)]
    UnknownCoding {
        /// As the header named it.
        named: String,
    },
    /// Not what its coding says.
    #[error("the body is not valid {} ({what})", coding.word())]
    Coding {
        /// As announced.
        coding: Coding,
        /// The decoder's words.
        what: String,
    },
    /// No gRPC message.
    #[error("{0}")]
    Frame(String),
}

impl ReadError {
    /// What gRPC calls it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            ReadError::NoRoom(_) | ReadError::TooLarge { .. } | ReadError::TooLargeInflated { .. } | ReadError::Bomb { .. } => {
                Code::ResourceExhausted
            }
            ReadError::Slow { .. } => Code::DeadlineExceeded,
            ReadError::Broken { .. } => Code::Cancelled,
            ReadError::UnknownCoding { .. } => Code::Unimplemented,
            ReadError::Coding { .. } | ReadError::Frame(_) => Code::InvalidArgument,
        }
    }

    /// What HTTP calls it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            ReadError::NoRoom(_) => StatusCode::TOO_MANY_REQUESTS,
            ReadError::TooLarge { .. } | ReadError::TooLargeInflated { .. } | ReadError::Bomb { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ReadError::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            ReadError::UnknownCoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ReadError::Broken { .. } | ReadError::Coding { .. } | ReadError::Frame(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Bytes that came over a connection, whatever they belong to; an extension of every request. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<AtomicU64>);

impl Heard {
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body being read frame by frame, against its time limits.
pub(crate) struct Reader<'a, B> {
    body: Pin<&'a mut B>,
    limits: &'a Limits,
    started: Instant,
    /// A large frame is seen only when all of it has come; that it comes shows here.
    heard: Option<(Heard, u64)>,
    /// Bytes that came.
    pub(crate) bytes: usize,
}

impl<'a, B> Reader<'a, B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// `extensions`: of the request that it is the body of.
    pub(crate) fn new(extensions: &Extensions, body: Pin<&'a mut B>, limits: &'a Limits) -> Reader<'a, B> {
        let heard = extensions.get::<Heard>().map(|heard| (heard.clone(), heard.bytes()));
        Reader { body, limits, started: Instant::now(), heard, bytes: 0 }
    }

    /// At `rate_min` a byte earns its share of a second; whoever is behind that after the grace is cut.
    fn until(&self) -> Instant {
        let heard = self.heard.as_ref().map_or(0, |(heard, before)| heard.bytes() - before);
        let earned = Duration::from_secs_f64(heard.max(self.bytes as u64) as f64 / f64::from(self.limits.rate_min.max(1)));
        self.started + (self.limits.grace + earned).min(self.limits.time_max)
    }

    /// The next piece of data; trailers are skipped.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            let frame = match timeout_at(self.until(), self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(ReadError::Broken { bytes: self.bytes, what: error.into().to_string() }),
                Err(_) if Instant::now() < self.until() => continue,
                Err(_) => return Err(ReadError::Slow { bytes: self.bytes, seconds: self.started.elapsed().as_secs() }),
            };
            if let Ok(data) = frame.into_data() {
                self.bytes = self.bytes.saturating_add(data.len());
                return Ok(Some(data));
            }
        }
    }
}

/// So much of an announced length is admitted before a byte of it came; whoever announces more has to send it.
const ON_TRUST: usize = 1 << 20;
const STEP: usize = 64 << 10;

/// A body that comes as a whole is kept as it came from here on; a smaller one would hold on to more than itself.
const KEPT_MIN: usize = 8 << 10;

/// A body as it gathers, never larger than what was admitted for it.
pub(crate) struct Buffer {
    /// All of it, if it came in one piece.
    kept: Bytes,
    whole: Vec<u8>,
    announced: usize,
    admitted: usize,
    max: usize,
}

impl Buffer {
    /// For `announced` bytes, which may turn out to be fewer or more, but never more than `max`.
    pub(crate) fn new(announced: usize, max: usize, grow: Grow<'_>) -> Result<Buffer, ReadError> {
        if announced > max {
            return Err(ReadError::TooLarge { max });
        }
        let admitted = announced.min(ON_TRUST);
        grow(admitted).map_err(ReadError::NoRoom)?;
        Ok(Buffer { kept: Bytes::new(), whole: Vec::new(), announced, admitted, max })
    }

    pub(crate) fn push(&mut self, data: Bytes, grow: Grow<'_>) -> Result<(), ReadError> {
        let needed = self.len().saturating_add(data.len());
        if needed > self.max {
            return Err(ReadError::TooLarge { max: self.max });
        }
        if needed > self.admitted {
            let target = self.admitted.saturating_mul(2).max(needed).max(STEP).min(self.max);
            grow(target - self.admitted).map_err(ReadError::NoRoom)?;
            self.admitted = target;
        }
        if self.len() == 0 && data.len() == self.announced && data.len() >= KEPT_MIN {
            self.kept = data;
            return Ok(());
        }
        if !data.is_empty() {
            let kept = std::mem::take(&mut self.kept);
            self.whole.reserve_exact(self.admitted - self.whole.len());
            self.whole.extend_from_slice(&kept);
            self.whole.extend_from_slice(&data);
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len() + self.whole.len()
    }

    pub(crate) fn finish(self) -> Bytes {
        if self.kept.is_empty() { tight(self.whole) } else { self.kept }
    }
}

/// Reads a whole body. Bytes are admitted before they are buffered, doubling as they come. `extensions`: of its request, if it is one's.
pub async fn read<B>(extensions: &Extensions, body: B, limits: &Limits, grow: Grow<'_>) -> Result<Bytes, ReadError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut buffer = Buffer::new(announced, limits.wire_bytes_max, grow)?;
    let mut body = std::pin::pin!(body);
    let mut reader = Reader::new(extensions, body.as_mut(), limits);
    while let Some(data) = reader.next().await? {
        buffer.push(data, grow)?;
    }
    Ok(buffer.finish())
}

/// What `discard` reads and for how long, at the most.
const DISCARD_BYTES_MAX: usize = 32 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(3);

/// Reads and drops what is left of an HTTP/1 body, within limits: a client that is still sending when its connection closes never sees why it was refused.
pub async fn discard<B: Body<Data = Bytes>>(body: B) {
    let mut body = std::pin::pin!(body);
    let rest = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Whether it came to its end or to its time makes no difference.
    let _ended = timeout(DISCARD_TIME, rest).await;
}

/// Gives back what was allocated in vain, so that what is kept for long costs what it is counted as.
pub(crate) fn tight(mut whole: Vec<u8>) -> Bytes {
    if whole.capacity() - whole.len() > whole.len() / 4 {
        whole.shrink_to_fit();
    }
    Bytes::from(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn a_large_frame_may_take_as_long_as_its_bytes_have_earned() {
        for (bytes_a_second, is_cut) in [(2_000, false), (500, true)] {
            let (heard, mut extensions) = (Heard::default(), Extensions::new());
            extensions.insert(heard.clone());
            let frame = async move {
                for _ in 0..20 {
                    sleep(Duration::from_secs(1)).await;
                    heard.add(bytes_a_second);
                }
                Ok::<_, Infallible>(Frame::data(Bytes::from(vec![0; 20 * bytes_a_second])))
            };
            let read = read(&extensions, StreamBody::new(stream::once(frame)), &Limits::default(), &mut |_| Ok(())).await;
            assert_eq!(matches!(read, Err(ReadError::Slow { .. })), is_cut, "{read:?}");
        }
    }
}
