//! Bytes of a recording into changes and moments. Reads what is asked for, not all there is.

use std::io;

use pgstrata_units::Lsn;
use serde::Deserialize;

use super::frame::{HEAD_BYTES, Head, Kind};
use super::{END_MAGIC, Ending, FORMAT, FileError, Header, MAGIC};
use crate::change::{At, Change};
use crate::item::Key;
use crate::moment::Moment;
use crate::shared::SharedItem;

/// Bytes that can be read anywhere: a file, or memory.
pub trait Source {
    /// How many there are.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` with those from `offset` on; an error if there are fewer.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

impl Source for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let range = from.and_then(|from| self.get(from..from.checked_add(bytes.len())?));
        bytes.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What was cut off at the end of a file that was not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Where the last whole frame ends.
    pub offset: u64,
    /// Bytes after that.
    pub bytes: u64,
}

/// A frame and where it is.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    head: Head,
}

/// A recording that is read.
#[derive(Debug)]
pub struct Recorded<S> {
    source: S,
    header: Header,
    ending: Ending,
    torn: Option<Torn>,
    keyframes: Vec<Place>,
    blocks: Vec<Place>,
    /// For each block the latest time and position at or before its first change: clocks go back, these do not.
    earliest: Vec<(i64, u64)>,
}

/// A moment in a file.
#[derive(Deserialize)]
struct Keyframe {
    seq: u64,
    at: Option<At>,
    items: Vec<SharedItem>,
}

impl<S: Source> Recorded<S> {
    /// Opens a recording: by its index if it was closed, frame by frame if it was not.
    ///
    /// # Errors
    /// [`FileError`] if it is no recording, of a later format, or has no whole beginning. A damaged end is no error:
    /// see [`Recorded::torn`].
    pub fn open(source: S) -> Result<Self, FileError> {
        let length = source.length()?;
        let mut magic = [0; MAGIC.len()];
        if length < MAGIC.len() as u64 || source.read_at(0, &mut magic).is_err() || magic[..7] != MAGIC[..7] {
            return Err(FileError::NotARecording);
        }
        let found = u32::from(magic[7].wrapping_sub(b'0'));
        if found > FORMAT {
            return Err(FileError::Newer { found });
        }
        let (places, torn) = match by_index(&source, length) {
            Some(places) => (places, None),
            None => scan(&source, length)?,
        };
        let Some(first) = places.first().filter(|place| place.head.kind == Kind::Header) else {
            return Err(FileError::NoBeginning { what: "header" });
        };
        let header: Header = serde_json::from_slice(&payload(&source, *first)?)?;
        let of = |kind| places.iter().filter(move |place| place.head.kind == kind).copied();
        let ending = match of(Kind::End).next() {
            Some(end) => serde_json::from_slice(&payload(&source, end)?)?,
            None => Ending::Torn,
        };
        let keyframes: Vec<Place> = of(Kind::Keyframe).collect();
        if keyframes.is_empty() {
            return Err(FileError::NoBeginning { what: "keyframe" });
        }
        let blocks: Vec<Place> = of(Kind::Block).collect();
        let earliest = earliest(&keyframes[0], &blocks);
        Ok(Self { source, header, ending, torn, keyframes, blocks, earliest })
    }

    /// What it is read from.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Who was recorded.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Why it ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// What was cut off, if it was not closed.
    #[must_use]
    pub fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// Number of the moment it begins with: [`Recorded::moment_at`] knows this and all up to [`Recorded::last`].
    #[must_use]
    pub fn first(&self) -> u64 {
        self.keyframes[0].head.span.first
    }

    /// Number of its last change.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.blocks.last().map_or_else(|| self.first(), |block| block.head.span.last)
    }

    /// Times of the first moment and the last change, microseconds since 1970.
    #[must_use]
    pub fn times(&self) -> (i64, i64) {
        let first = self.keyframes[0].head.span.first_us;
        let began = if first == 0 { self.header.began_us } else { first };
        (began, self.blocks.last().map_or(began, |block| block.head.span.last_us))
    }

    /// The moment after change `seq`: the nearest keyframe before it, and the changes since then folded in.
    ///
    /// # Errors
    /// [`FileError::OutOfRange`]; [`FileError::Damaged`] if a frame that is needed is.
    pub fn moment_at(&self, seq: u64) -> Result<Moment, FileError> {
        self.check(seq)?;
        let after = self.keyframes.partition_point(|place| place.head.span.first <= seq);
        let mut moment = self.keyframe(self.keyframes[after - 1])?;
        for block in self.blocks_after(moment.seq) {
            if moment.seq >= seq {
                break;
            }
            for change in self.block(*block)?.iter().take_while(|change| change.seq <= seq) {
                if !moment.fold(change) {
                    return Err(FileError::Damaged { offset: block.offset, reason: "a change is missing before it" });
                }
            }
        }
        Ok(moment)
    }

    /// Up to `limit` changes after number `after`, in order.
    ///
    /// # Errors
    /// [`FileError::OutOfRange`] if `after` lies before the recording or behind it.
    pub fn changes(&self, after: u64, limit: usize) -> Result<Vec<Change>, FileError> {
        self.check(after)?;
        let mut found = Vec::new();
        for block in self.blocks_after(after) {
            let changes = self.block(*block)?;
            found.extend(changes.into_iter().filter(|change| change.seq > after).take(limit - found.len()));
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// Number of the last change that had happened at this time (microseconds since 1970).
    ///
    /// A clock that was set back counts as having stood still.
    pub fn seq_at(&self, unix_us: i64) -> Result<u64, FileError> {
        self.last_where(|(us, _)| us <= unix_us, |at| at.unix_us <= unix_us)
    }

    /// Number of the last change that tells the server's log up to `lsn` or less; the first moment's if all tell more.
    pub fn seq_at_lsn(&self, Lsn(lsn): Lsn) -> Result<u64, FileError> {
        self.last_where(|(_, position)| position <= lsn, |at| at.lsn.is_none_or(|at| at.0 <= lsn))
    }

    fn last_where(
        &self,
        begins: impl Fn((i64, u64)) -> bool,
        is_before: impl Fn(&At) -> bool,
    ) -> Result<u64, FileError> {
        let after = self.earliest.partition_point(|place| begins(*place));
        // The right one may be the last change of the block before, where none of this block's is.
        for block in self.blocks[..after].iter().rev() {
            if let Some(change) = self.block(*block)?.iter().take_while(|change| is_before(&change.at)).last() {
                return Ok(change.seq);
            }
        }
        Ok(self.first())
    }

    fn check(&self, seq: u64) -> Result<(), FileError> {
        let (first, last) = (self.first(), self.last());
        if (first..=last).contains(&seq) { Ok(()) } else { Err(FileError::OutOfRange { seq, first, last }) }
    }

    fn blocks_after(&self, seq: u64) -> &[Place] {
        &self.blocks[self.blocks.partition_point(|place| place.head.span.last <= seq)..]
    }

    fn block(&self, place: Place) -> Result<Vec<Change>, FileError> {
        let raw = payload(&self.source, place)?;
        let lines = raw.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
    }

    fn keyframe(&self, place: Place) -> Result<Moment, FileError> {
        let keyframe: Keyframe = serde_json::from_slice(&payload(&self.source, place)?)?;
        let items = keyframe.items.into_iter().map(|put| -> (Key, SharedItem) { (put.key.clone(), put) }).collect();
        Ok(Moment { seq: keyframe.seq, at: keyframe.at, items })
    }
}

/// The places of all frames by the index of a file that was closed; `None` if it was not, or its end is damaged.
fn by_index<S: Source>(source: &S, length: u64) -> Option<Vec<Place>> {
    let mut trailer = [0; 16];
    source.read_at(length.checked_sub(16)?, &mut trailer).ok()?;
    let (at, magic) = trailer.split_first_chunk::<8>()?;
    if magic != END_MAGIC {
        return None;
    }
    let index = read_head(source, u64::from_le_bytes(*at), length)?;
    if index.head.kind != Kind::Index || index.offset + index.head.frame_bytes() + 16 != length {
        return None;
    }
    let raw = payload(source, index).ok()?;
    let (offsets, rest) = raw.as_chunks::<8>();
    if !rest.is_empty() {
        return None;
    }
    offsets.iter().map(|offset| read_head(source, u64::from_le_bytes(*offset), index.offset)).collect()
}

/// The places of all whole frames, one after the other, and what follows them.
fn scan<S: Source>(source: &S, length: u64) -> Result<(Vec<Place>, Option<Torn>), FileError> {
    let mut places = Vec::new();
    let mut offset = MAGIC.len() as u64;
    while let Some(place) = read_head(source, offset, length) {
        let mut stored = vec![0; place.head.stored];
        source.read_at(offset + HEAD_BYTES as u64, &mut stored)?;
        if !place.head.holds(&stored) || place.head.kind == Kind::Index {
            break;
        }
        places.push(place);
        offset += place.head.frame_bytes();
    }
    Ok((places, Some(Torn { offset, bytes: length - offset })))
}

/// The head at an offset, if there is one and its frame ends before `end`.
fn read_head<S: Source>(source: &S, offset: u64, end: u64) -> Option<Place> {
    let mut bytes = [0; HEAD_BYTES];
    source.read_at(offset, &mut bytes).ok()?;
    let head = Head::read(&bytes)?;
    (offset.checked_add(head.frame_bytes())? <= end).then_some(Place { offset, head })
}

fn payload<S: Source>(source: &S, place: Place) -> Result<Vec<u8>, FileError> {
    let mut stored = vec![0; place.head.stored];
    source.read_at(place.offset + HEAD_BYTES as u64, &mut stored)?;
    place.head.unpack(&stored).map_err(|reason| FileError::Damaged { offset: place.offset, reason })
}

/// For each block, the latest time and position of anything before it and of its own first change.
fn earliest(first: &Place, blocks: &[Place]) -> Vec<(i64, u64)> {
    let mut seen = (first.head.span.first_us, first.head.span.lsn);
    let mut earliest = Vec::with_capacity(blocks.len());
    for Place { head, .. } in blocks {
        // A block's first position is not in its head; the end of the block before is at or below it.
        earliest.push((seen.0.max(head.span.first_us), seen.1));
        seen = (seen.0.max(head.span.first_us).max(head.span.last_us), seen.1.max(head.span.lsn));
    }
    earliest
}
