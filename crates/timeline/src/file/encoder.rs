//! Changes into bytes to be appended. Holds at most one block of changes that are not in bytes yet.

use pgstrata_units::Lsn;
use serde::Serialize;

use super::frame::{Kind, Span, frame};
use super::{END_MAGIC, Ending, FileError, Header, MAGIC};
use crate::change::{At, Change};
use crate::moment::Moment;
use crate::shared::SharedItem;

/// How often bytes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// A block is closed when it has so many bytes of JSON.
    pub block_bytes: usize,
    /// … or when its first change is so old, microseconds; what a crash can lose.
    pub block_us: i64,
    /// A keyframe is made after so many bytes of changes, or twice the bytes of the last keyframe, whichever is more: a seek
    /// reads no more than that, and keyframes take at most a third of the file.
    pub keyframe_bytes: usize,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { block_bytes: 64 << 10, block_us: 1_000_000, keyframe_bytes: 256 << 10 }
    }
}

/// Makes the bytes of a recording. Each call returns what is to be appended to the file, possibly nothing.
#[derive(Debug)]
pub struct Encoder {
    cadence: Cadence,
    moment: Moment,
    block: Vec<u8>,
    span: Option<Span>,
    since_keyframe_bytes: usize,
    keyframe_bytes: usize,
    /// Where each frame begins, and the bytes made so far.
    frames: Vec<u64>,
    written: u64,
}

/// A moment in a file.
#[derive(Serialize)]
struct Keyframe<'a> {
    seq: u64,
    at: Option<At>,
    items: Vec<&'a SharedItem>,
}

impl Encoder {
    /// Begins a recording at `moment`: its first bytes.
    pub fn begin(header: &Header, moment: Moment, cadence: Cadence) -> Result<(Self, Vec<u8>), FileError> {
        let mut encoder = Self {
            cadence,
            moment,
            block: Vec::new(),
            span: None,
            since_keyframe_bytes: 0,
            keyframe_bytes: 0,
            frames: Vec::new(),
            written: MAGIC.len() as u64,
        };
        let mut bytes = MAGIC.to_vec();
        let head = frame(Kind::Header, Span::default(), &serde_json::to_vec(header)?);
        encoder.add(&mut bytes, head);
        encoder.keyframe(&mut bytes)?;
        Ok((encoder, bytes))
    }

    /// The next change. One that is already in is passed over.
    ///
    /// # Errors
    /// [`FileError::OutOfRange`] if a change is missing before it: the recorder has to begin another file.
    pub fn append(&mut self, change: &Change) -> Result<Vec<u8>, FileError> {
        if change.seq <= self.moment.seq {
            return Ok(Vec::new());
        }
        if !self.moment.fold(change) {
            let next = self.moment.seq + 1;
            return Err(FileError::OutOfRange { seq: change.seq, first: next, last: next });
        }
        serde_json::to_writer(&mut self.block, change)?;
        self.block.push(b'\n');
        let (us, lsn) = (change.at.unix_us, change.at.lsn.map_or(0, |Lsn(lsn)| lsn));
        let span =
            self.span.get_or_insert(Span { first: change.seq, last: change.seq, first_us: us, last_us: us, lsn });
        span.last = change.seq;
        span.last_us = us;
        span.lsn = span.lsn.max(lsn);
        let is_due = self.block.len() >= self.cadence.block_bytes || us - span.first_us >= self.cadence.block_us;
        if is_due { self.flush() } else { Ok(Vec::new()) }
    }

    /// Closes the block that is open, whatever its size.
    pub fn flush(&mut self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        if let Some(span) = self.span.take() {
            let block = frame(Kind::Block, span, &self.block);
            self.since_keyframe_bytes += self.block.len();
            self.block.clear();
            self.add(&mut bytes, block);
            if self.since_keyframe_bytes >= self.cadence.keyframe_bytes.max(2 * self.keyframe_bytes) {
                self.keyframe(&mut bytes)?;
            }
        }
        Ok(bytes)
    }

    /// The last bytes.
    pub fn finish(mut self, ending: Ending) -> Result<Vec<u8>, FileError> {
        let mut bytes = self.flush()?;
        let end = frame(Kind::End, self.point(), &serde_json::to_vec(&ending)?);
        self.add(&mut bytes, end);
        let at = self.written;
        let index: Vec<u8> = self.frames.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        bytes.extend(frame(Kind::Index, self.point(), &index));
        bytes.extend(at.to_le_bytes());
        bytes.extend(END_MAGIC);
        Ok(bytes)
    }

    /// Bytes made so far; the open block is not among them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written
    }

    /// Number of the last change taken.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.moment.seq
    }

    fn keyframe(&mut self, bytes: &mut Vec<u8>) -> Result<(), FileError> {
        let keyframe =
            Keyframe { seq: self.moment.seq, at: self.moment.at, items: self.moment.items.values().collect() };
        let raw = serde_json::to_vec(&keyframe)?;
        self.keyframe_bytes = raw.len();
        self.since_keyframe_bytes = 0;
        let made = frame(Kind::Keyframe, self.point(), &raw);
        self.add(bytes, made);
        Ok(())
    }

    /// The present moment as a span.
    fn point(&self) -> Span {
        let at = self.moment.at;
        let us = at.map_or(0, |at| at.unix_us);
        let lsn = at.and_then(|at| at.lsn).map_or(0, |Lsn(lsn)| lsn);
        Span { first: self.moment.seq, last: self.moment.seq, first_us: us, last_us: us, lsn }
    }

    fn add(&mut self, bytes: &mut Vec<u8>, frame: Vec<u8>) {
        self.frames.push(self.written);
        self.written += frame.len() as u64;
        bytes.extend(frame);
    }
}
