//! Records out of a log that is still being written: bytes come in pieces of any size, records go as soon as they are
//! whole.
//!
//! [`crate::Reader`] reads files, where the end of the log and damage must be told apart; here the server says how far
//! the log is flushed, nothing behind that comes, and whatever does not add up is an error.

use pgstrata_units::Lsn;

use crate::bytes::align_lsn;
use crate::error::Fault;
use crate::page::{LONG_HEADER_BYTES, PAGE_BYTES, PageHeader, SHORT_HEADER_BYTES};
use crate::reader::LOG_SWITCH;
use crate::record::{HEADER_BYTES, Record, RecordHeader};
use crate::resource::ResourceManager;
use crate::segment::{SegmentSize, Timeline};
use crate::version::WalVersion;

/// Bytes that came but do not make a record, or do not follow the ones before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream of the log cannot be read at {lsn}")]
pub struct StreamError {
    /// Where.
    pub lsn: Lsn,
    /// Why.
    #[source]
    pub fault: StreamFault,
}

/// What is wrong with a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// Something was left out, or came twice.
    #[error("bytes of {found} came, {expected} was next")]
    Gap {
        /// What was next.
        expected: Lsn,
        /// What came.
        found: Lsn,
    },
    /// A page or record that is none.
    #[error("a page or record is none")]
    Fault(#[source] Fault),
}

/// Puts records together.
#[derive(Debug)]
pub struct Assembler {
    size: SegmentSize,
    /// The position of the first byte in `bytes`.
    position: Lsn,
    bytes: Vec<u8>,
    /// How many of `bytes` were used up already; dropped when more come.
    used: usize,
    version: Option<WalVersion>,
    timeline: Timeline,
    previous: Option<Lsn>,
    /// Where a record began whose end has not come, how long it is, and what came of it.
    partial: Option<(Lsn, Option<usize>, Vec<u8>)>,
    /// Whether the end of a record that began before the start is to be passed over.
    seeking: bool,
    /// Bytes up to here mean nothing: the rest of a segment after a switch.
    skip_to: Lsn,
}

impl Assembler {
    /// Begins with the page that holds `lsn`: the records from the first that begins on it come. [`Self::position`] says
    /// from where bytes must be given.
    #[must_use]
    pub fn from_page_of(lsn: Lsn, size: SegmentSize) -> Self {
        Self {
            size,
            position: Lsn(lsn.0 - lsn.0 % PAGE_BYTES),
            bytes: Vec::new(),
            used: 0,
            version: None,
            timeline: Timeline(0),
            previous: None,
            partial: None,
            seeking: true,
            skip_to: Lsn(0),
        }
    }

    /// The position of the next byte to be given.
    #[must_use]
    pub fn position(&self) -> Lsn {
        Lsn(self.position.0 + self.bytes.len() as u64)
    }

    /// Who wrote the log, once a page was read.
    #[must_use]
    pub const fn version(&self) -> Option<WalVersion> {
        self.version
    }

    /// The timeline of the last page.
    #[must_use]
    pub const fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// Takes bytes of the log that begin at `lsn`, which must be where the ones before ended.
    pub fn give(&mut self, lsn: Lsn, bytes: &[u8]) -> Result<(), StreamError> {
        let expected = self.position();
        if lsn != expected {
            return Err(StreamError { lsn: expected, fault: StreamFault::Gap { expected, found: lsn } });
        }
        self.bytes.drain(..self.used);
        self.position = Lsn(self.position.0 + self.used as u64);
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole record; `None` until more bytes come.
    pub fn next_record(&mut self) -> Result<Option<Record>, StreamError> {
        self.advance().map_err(|fault| {
            let lsn = self.partial.as_ref().map_or(self.at(), |(lsn, _, _)| *lsn);
            StreamError { lsn, fault: StreamFault::Fault(fault) }
        })
    }

    fn at(&self) -> Lsn {
        Lsn(self.position.0 + self.used as u64)
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    fn advance(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            if self.at() < self.skip_to {
                let wanted = usize::try_from(self.skip_to.0 - self.at().0).unwrap_or(usize::MAX);
                let there = self.rest().len().min(wanted);
                self.used += there;
                if there < wanted {
                    return Ok(None);
                }
            }
            if self.at().0.is_multiple_of(PAGE_BYTES) {
                if !self.enter_page()? {
                    return Ok(None);
                }
                continue;
            }
            if self.rest().is_empty() {
                return Ok(None);
            }
            self.take_from_page()?;
            if let Some(record) = self.finish()? {
                return Ok(Some(record));
            }
        }
    }

    /// Reads a page's header; false if not all of it is there.
    fn enter_page(&mut self) -> Result<bool, Fault> {
        let at = self.at();
        let bytes = if self.size.offset_of(at) == 0 { LONG_HEADER_BYTES } else { SHORT_HEADER_BYTES };
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        let Some(page) = self.rest().get(..length) else { return Ok(false) };
        let header = PageHeader::read(page, at)?;
        if header.bytes() != bytes || self.version.is_some_and(|version| version != header.version) {
            return Err(Fault::OtherFormat);
        }
        if header.timeline < self.timeline {
            return Err(Fault::TimelineWentBack { previous: self.timeline, found: header.timeline });
        }
        (self.version, self.timeline) = (Some(header.version), header.timeline);
        self.used += length;
        let remaining = if header.continues { header.remaining } else { 0 };
        if header.overwrites {
            // A crash cut the record off; the server went on from here.
            self.partial = None;
            self.previous = None;
        } else if self.seeking {
            self.pass_over(remaining);
            return Ok(true);
        }
        let left = match &self.partial {
            Some((_, Some(length), bytes)) => length - bytes.len(),
            // A length is never cut in two: records begin at multiples of 8.
            _ => 0,
        };
        if usize::try_from(remaining).ok() != Some(left) {
            let remaining = u32::try_from(left).unwrap_or(u32::MAX);
            return Err(Fault::Continuation { remaining, found: header.remaining });
        }
        Ok(true)
    }

    /// Passes over what continues an earlier record on this page.
    fn pass_over(&mut self, remaining: u32) {
        let on_page = PAGE_BYTES - self.at().0 % PAGE_BYTES;
        let remaining = u64::from(remaining);
        // On the next page its header tells again how much is left; a record may also end with its page.
        self.seeking = remaining > on_page;
        self.skip_to = Lsn(align_lsn(self.at().0 + remaining.min(on_page)));
    }

    fn take_from_page(&mut self) -> Result<(), Fault> {
        let at = self.at();
        let on_page = usize::try_from(PAGE_BYTES - at.0 % PAGE_BYTES).unwrap_or(usize::MAX);
        let there = self.rest().len().min(on_page);
        if self.partial.is_none() {
            self.partial = Some((at, None, Vec::new()));
        }
        let previous = self.previous;
        let Some((_, length, bytes)) = &mut self.partial else { return Ok(()) };
        let had = bytes.len();
        let wanted = length.unwrap_or(4) - had;
        let taken = wanted.min(there);
        bytes.extend_from_slice(&self.bytes[self.used..self.used + taken]);
        self.used += taken;
        if length.is_none()
            && let Some(start) = bytes.first_chunk::<4>()
        {
            *length = Some(RecordHeader::check_length(u32::from_le_bytes(*start))?);
        }
        if had < HEADER_BYTES
            && let Some(header) = RecordHeader::read(bytes)
        {
            check(&header, previous)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Record>, Fault> {
        let whole = self.partial.take_if(|(_, length, bytes)| *length == Some(bytes.len()));
        let (Some((lsn, _, bytes)), Some(version)) = (whole, self.version) else { return Ok(None) };
        let end = Lsn(align_lsn(self.at().0));
        let record = Record::new(lsn, end, version, bytes)?;
        self.previous = Some(lsn);
        let switches = record.header.manager == ResourceManager::LOG && record.header.operation_code() == LOG_SWITCH;
        self.skip_to = if switches && self.size.offset_of(end) != 0 {
            self.size.start_of(self.size.segment_of(end) + 1)
        } else {
            end
        };
        Ok(Some(record))
    }
}

fn check(header: &RecordHeader, previous: Option<Lsn>) -> Result<(), Fault> {
    if !header.manager.is_known() {
        return Err(Fault::Manager { found: header.manager.0 });
    }
    match previous {
        Some(expected) if expected != header.previous => {
            Err(Fault::PreviousRecord { expected, found: header.previous })
        }
        _ => Ok(()),
    }
}
