//! From segments to records: pages are put together, checksums checked, the end of the log told from damage.
//!
//! The reader asks for segments by number and is given their bytes; where they come from is the caller's business.

use pgstrata_units::Lsn;

use crate::bytes::align_lsn;
use crate::error::{Fault, ReadError};
use crate::page::{PAGE_BYTES, PageHeader};
use crate::record::{HEADER_BYTES, Record, RecordHeader, crc_of};
use crate::resource::ResourceManager;
use crate::segment::{SegmentSize, Timeline};
use crate::version::WalVersion;

/// What [`Reader::next_step`] came to.
#[derive(Debug)]
pub enum Step {
    /// The next record.
    Record(Box<Record>),
    /// The bytes of this segment are needed to go on. If there are none, this is the end of the log; it was torn if
    /// [`Reader::is_within_record`].
    NeedSegment(u64),
}

/// A segment's bytes with its number.
struct Segment {
    number: u64,
    bytes: Vec<u8>,
}

/// A record of which the end has not been reached.
struct Partial {
    lsn: Lsn,
    length: usize,
    bytes: Vec<u8>,
}

/// Reads records one after the other, over pages and segments.
pub struct Reader {
    size: SegmentSize,
    /// Where the next byte is to be read.
    position: Lsn,
    /// Where the record before began, when one was read.
    previous: Option<Lsn>,
    segment: Option<Segment>,
    partial: Option<Partial>,
    /// Whether the end of a record that began before the start is to be passed over.
    seeking: bool,
    version: Option<WalVersion>,
    system: Option<u64>,
    timeline: Timeline,
}

/// The code of the record after which the rest of a segment is empty (`XLOG_SWITCH`).
pub(crate) const LOG_SWITCH: u8 = 0x40;

impl Reader {
    /// Begins with the record at `lsn`, which must be the beginning of one.
    #[must_use]
    pub fn at_record(lsn: Lsn, size: SegmentSize) -> Self {
        Self::new(lsn, size, false)
    }

    /// Begins with the first record that begins in a segment.
    #[must_use]
    pub fn at_segment(number: u64, size: SegmentSize) -> Self {
        Self::new(size.start_of(number), size, true)
    }

    fn new(position: Lsn, size: SegmentSize, seeking: bool) -> Self {
        let (previous, segment, partial, version, system) = (None, None, None, None, None);
        Self { size, position, previous, segment, partial, seeking, version, system, timeline: Timeline(0) }
    }

    /// The position of the next byte to be read: after a record, where the next may begin.
    #[must_use]
    pub const fn position(&self) -> Lsn {
        self.position
    }

    /// Whether a record has begun whose end is in a segment not given yet.
    #[must_use]
    pub const fn is_within_record(&self) -> bool {
        self.partial.is_some()
    }

    /// The cluster whose log this is, once a segment was given.
    #[must_use]
    pub const fn system_identifier(&self) -> Option<u64> {
        self.system
    }

    /// The timeline of the last page.
    #[must_use]
    pub const fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// Who wrote the log, once a segment was given.
    #[must_use]
    pub const fn version(&self) -> Option<WalVersion> {
        self.version
    }

    /// Gives the bytes of a segment. A last one may be shorter than its size; what is missing is as if never written.
    pub fn give(&mut self, number: u64, bytes: Vec<u8>) -> Result<(), ReadError> {
        let start = self.size.start_of(number);
        let fail = |fault| Err(ReadError { lsn: start, fault, followed_by: None });
        let header = match PageHeader::read(&bytes, start) {
            Ok(header) => header,
            Err(fault) => return fail(fault),
        };
        let Some(long) = header.long else { return fail(Fault::NoLongHeader) };
        if long.segment_size != self.size || self.version.is_some_and(|version| version != header.version) {
            return fail(Fault::OtherFormat);
        }
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if found > self.size.bytes() {
            return fail(Fault::SegmentLength { expected: self.size.bytes(), found });
        }
        match self.system {
            Some(expected) if expected != long.system_identifier => {
                return fail(Fault::OtherSystem { expected, found: long.system_identifier });
            }
            _ => self.system = Some(long.system_identifier),
        }
        self.version = Some(header.version);
        self.segment = Some(Segment { number, bytes });
        Ok(())
    }

    /// Reads on up to the next record, or to the end of the segment given last.
    pub fn next_step(&mut self) -> Result<Step, ReadError> {
        match self.advance() {
            Ok(step) => Ok(step),
            Err(fault) => {
                let lsn = self.partial.as_ref().map_or(self.position, |partial| partial.lsn);
                Err(ReadError { lsn, fault, followed_by: self.find_later(lsn) })
            }
        }
    }

    /// Goes on behind damage, at a position that [`ReadError::followed_by`] told. What was between is lost.
    pub fn skip_to(&mut self, lsn: Lsn) {
        self.position = lsn;
        self.previous = None;
        self.partial = None;
        self.seeking = lsn.0.is_multiple_of(PAGE_BYTES);
    }

    fn advance(&mut self) -> Result<Step, Fault> {
        loop {
            let number = self.size.segment_of(self.position);
            if self.segment.as_ref().is_none_or(|segment| segment.number != number) {
                return Ok(Step::NeedSegment(number));
            }
            if self.position.0.is_multiple_of(PAGE_BYTES) {
                self.enter_page()?;
                continue;
            }
            if self.partial.is_none() {
                self.begin_record()?;
            }
            self.take_from_page()?;
            if let Some(record) = self.finish_record()? {
                return Ok(Step::Record(Box::new(record)));
            }
        }
    }

    /// The bytes from the position to the end of the page; fewer if the file ends before.
    fn rest_of_page(&self) -> &[u8] {
        let Some(segment) = &self.segment else { return &[] };
        let offset = index(self.size.offset_of(self.position));
        let end = offset + index(PAGE_BYTES - self.position.0 % PAGE_BYTES);
        segment.bytes.get(offset..end.min(segment.bytes.len())).unwrap_or(&[])
    }

    fn enter_page(&mut self) -> Result<(), Fault> {
        let page = self.rest_of_page();
        if page.is_empty() || self.partial.is_none() && page.iter().all(|byte| *byte == 0) {
            return Err(Fault::Nothing);
        }
        let header = PageHeader::read(page, self.position)?;
        if self.version != Some(header.version) {
            return Err(Fault::OtherFormat);
        }
        if header.timeline < self.timeline {
            return Err(Fault::TimelineWentBack { previous: self.timeline, found: header.timeline });
        }
        self.timeline = header.timeline;
        let left = self.partial.as_ref().map_or(0, |partial| partial.length - partial.bytes.len());
        let remaining = if header.continues { header.remaining } else { 0 };
        if header.overwrites {
            // A crash cut the record off; the server went on from here.
            self.partial = None;
            self.previous = None;
        } else if self.seeking {
            self.position = Lsn(self.position.0 + header.bytes());
            self.pass_over(u64::from(remaining));
            return Ok(());
        } else if left != index(u64::from(remaining)) {
            let remaining = u32::try_from(left).unwrap_or(u32::MAX);
            return Err(Fault::Continuation { remaining, found: header.remaining });
        }
        self.position = Lsn(self.position.0 + header.bytes());
        Ok(())
    }

    /// Passes over what continues an earlier record on this page.
    fn pass_over(&mut self, remaining: u64) {
        let on_page = PAGE_BYTES - self.position.0 % PAGE_BYTES;
        if remaining >= on_page {
            // On the next page its header tells again how much is left; a record may also end with its page.
            self.seeking = remaining > on_page;
            self.position = Lsn(self.position.0 + on_page);
        } else {
            self.seeking = false;
            self.position = Lsn(align_lsn(self.position.0 + remaining));
        }
    }

    fn begin_record(&mut self) -> Result<(), Fault> {
        let start = self.rest_of_page();
        let Some(length) = start.first_chunk::<4>() else { return Err(Fault::Nothing) };
        let length = RecordHeader::check_length(u32::from_le_bytes(*length))?;
        self.partial = Some(Partial { lsn: self.position, length, bytes: Vec::new() });
        Ok(())
    }

    fn take_from_page(&mut self) -> Result<(), Fault> {
        let page = self.rest_of_page();
        let Some(partial) = &self.partial else { return Ok(()) };
        let wanted = partial.length - partial.bytes.len();
        let on_page = index(PAGE_BYTES - self.position.0 % PAGE_BYTES);
        let taken = page.get(..wanted.min(on_page)).ok_or(Fault::PageTooShort { bytes: page.len() })?.to_vec();
        self.position = Lsn(self.position.0 + taken.len() as u64);
        let previous = self.previous;
        let Some(partial) = &mut self.partial else { return Ok(()) };
        let had_header = partial.bytes.len() >= HEADER_BYTES;
        partial.bytes.extend(taken);
        if !had_header && let Some(header) = RecordHeader::read(&partial.bytes) {
            // Before more pages are asked for on the word of a length that may be garbage.
            check_header(&header, previous)?;
        }
        Ok(())
    }

    fn finish_record(&mut self) -> Result<Option<Record>, Fault> {
        let Some(partial) = self.partial.take_if(|partial| partial.bytes.len() == partial.length) else {
            return Ok(None);
        };
        let Some(version) = self.version else { return Ok(None) };
        let end = Lsn(align_lsn(self.position.0));
        let record = match Record::new(partial.lsn, end, version, partial.bytes) {
            Ok(record) => record,
            Err(fault) => {
                // So that the error tells where it began.
                self.position = partial.lsn;
                return Err(fault);
            }
        };
        self.previous = Some(record.lsn);
        let switches = record.header.manager == ResourceManager::LOG && record.header.operation_code() == LOG_SWITCH;
        self.position = if switches && self.size.offset_of(end) != 0 {
            self.size.start_of(self.size.segment_of(end) + 1)
        } else {
            end
        };
        Ok(Some(record))
    }

    /// A position behind `lsn` in the segment at hand where sound log of this run stands: a record that points back to
    /// `lsn` or behind it, or else a page with the right header.
    fn find_later(&self, lsn: Lsn) -> Option<Lsn> {
        let segment = self.segment.as_ref()?;
        let start = self.size.start_of(segment.number);
        let from = Lsn((lsn.0.max(start.0) & !7) + 8);
        let end = start.0 + segment.bytes.len() as u64;
        let mut page = None;
        let mut at = from.0;
        while at < end {
            if at.is_multiple_of(PAGE_BYTES) {
                let header = PageHeader::read(&segment.bytes[index(at - start.0)..], Lsn(at)).ok();
                let sound =
                    header.filter(|header| header.timeline >= self.timeline && Some(header.version) == self.version);
                let Some(header) = sound else {
                    at += PAGE_BYTES;
                    continue;
                };
                page = page.or(Some(Lsn(at)));
                at += header.bytes();
                continue;
            }
            if is_record(&segment.bytes, index(at - start.0), lsn, Lsn(at)) {
                return Some(Lsn(at));
            }
            at += 8;
        }
        page
    }
}

/// What a header must fulfil besides its checksum.
fn check_header(header: &RecordHeader, previous: Option<Lsn>) -> Result<(), Fault> {
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

/// Whether a sound record that follows `after` stands at `offset` of a segment, complete within the segment.
fn is_record(segment: &[u8], offset: usize, after: Lsn, at: Lsn) -> bool {
    let page_rest = |offset: usize| index(PAGE_BYTES) - offset % index(PAGE_BYTES);
    let Some(start) = segment.get(offset..offset + 4).and_then(|bytes| bytes.first_chunk::<4>()) else { return false };
    let Ok(length) = RecordHeader::check_length(u32::from_le_bytes(*start)) else { return false };
    let mut bytes = Vec::new();
    let mut from = offset;
    while bytes.len() < length {
        if from.is_multiple_of(index(PAGE_BYTES)) {
            // Within a segment only the first page has a long header, and it cannot continue anything found here.
            from += index(crate::page::SHORT_HEADER_BYTES);
        }
        let count = page_rest(from).min(length - bytes.len());
        let Some(part) = segment.get(from..from + count) else { return false };
        bytes.extend_from_slice(part);
        from += count;
        let header = RecordHeader::read(&bytes);
        if header.is_some_and(|header| !header.manager.is_known() || header.previous < after || header.previous >= at) {
            return false;
        }
    }
    RecordHeader::read(&bytes).is_some_and(|header| header.crc == crc_of(&bytes))
}

/// A position within a segment as an index; segments have at most 1 GB.
fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
