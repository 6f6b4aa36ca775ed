//! What the archived log says of the entries: read without the server, from the opening's position to the end of the
//! archive or to the first damage.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pgstrata_pg::wal_archive::WalArchive;
use pgstrata_units::Lsn;
use pgstrata_wal::{
    Change, ChangeKind, Committed, CommittedTransaction, Fault, ItemPointer, ReadError, Reader, Record, RelFile,
    RowImage, SegmentName, SegmentSize, Step, Timeline,
};

use super::entry::{Entry, RowReader};
use super::error::AuditError;
use super::trail::{ChainEnd, Link, Opening};

/// An entry as the log has it, with the link that it must have.
#[derive(Clone, Copy, Debug)]
pub struct Logged {
    /// The entry.
    pub entry: Entry,
    /// Its place in the chain.
    pub link: Link,
}

/// What was done to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Another version replaced it.
    Updated,
    /// It was removed.
    Deleted,
    /// All were removed.
    Truncated,
    /// It came, and cannot be read.
    Unreadable,
}

/// Something that was done to entries and may not be.
#[derive(Clone, Copy, Debug)]
pub struct Tampering {
    /// What.
    pub act: Act,
    /// The record.
    pub at: Lsn,
    /// The transaction.
    pub xid: u32,
    /// The entry that was there, if the log has it.
    pub was: Option<Entry>,
    /// The entry that replaced it.
    pub now: Option<Entry>,
}

/// Where the log cannot be read on.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The segment.
    pub segment: SegmentName,
    /// Where.
    pub lsn: Lsn,
    /// Why; none if the segment is missing.
    pub fault: Option<Fault>,
    /// The last missing segment, or where sound log follows.
    pub goes_on: Option<String>,
}

/// What was read.
pub struct LogEvidence {
    /// All entries of committed transactions, in the order of the chain.
    pub entries: Vec<Logged>,
    /// What was done to entries afterwards.
    pub tampering: Vec<Tampering>,
    /// Why reading stopped, if not because the archive ends.
    pub damage: Option<Damage>,
    /// Everything before is judged.
    pub until: Lsn,
    /// How many segments were read.
    pub segments: u64,
    /// How many records.
    pub records: u64,
    /// Transactions that had not ended by then.
    pub open_xids: BTreeSet<u32>,
    /// The highest transaction number that was seen.
    pub highest_xid: u32,
}

/// Reads the archives, in which a segment is looked for one after the other. `files` are further files of the table.
pub fn read(
    archives: &[WalArchive],
    opening: &Opening,
    chain: ChainEnd,
    files: &BTreeSet<RelFile>,
) -> Result<LogEvidence, AuditError> {
    let broken = |what: &str| AuditError::Broken { what: what.to_owned() };
    let size = opening.size().ok_or_else(|| broken("the opening tells a segment size that none is"))?;
    let rows = RowReader::new(&opening.columns).map_err(|source| AuditError::Entry { lsn: opening.from, source })?;
    let mut relations = files.clone();
    relations.insert(opening.file);
    let committed = Committed::of(relations, opening.file.database, BTreeSet::from([opening.relation]));
    let evidence = LogEvidence {
        entries: Vec::new(),
        tampering: Vec::new(),
        damage: None,
        until: opening.from,
        segments: 0,
        records: 0,
        open_xids: BTreeSet::new(),
        highest_xid: 0,
    };
    let first = size.segment_of(opening.from);
    let mut reading = Reading {
        segments: Segments::list(archives, size, opening.timeline)?,
        archives,
        size,
        reader: Reader::at_segment(first, size),
        committed,
        rows,
        chain,
        from: opening.from,
        first_file: opening.file,
        system: opening.system_identifier,
        places: HashMap::new(),
        evidence,
    };
    reading.run()?;
    Ok(reading.evidence)
}

/// Which segments there are: for each number the newest timeline's.
struct Segments(BTreeMap<u64, SegmentName>);

impl Segments {
    fn list(archives: &[WalArchive], size: SegmentSize, from: Timeline) -> Result<Self, AuditError> {
        let mut newest = BTreeMap::new();
        for archive in archives {
            for name in archive.segments()? {
                if name.timeline >= from {
                    let kept = newest.entry(name.number(size)).or_insert(name);
                    *kept = (*kept).max(name);
                }
            }
        }
        Ok(Self(newest))
    }
}

struct Reading<'a> {
    segments: Segments,
    archives: &'a [WalArchive],
    size: SegmentSize,
    reader: Reader,
    committed: Committed,
    rows: RowReader,
    chain: ChainEnd,
    from: Lsn,
    first_file: RelFile,
    system: u64,
    /// Which entry is where.
    places: HashMap<(RelFile, ItemPointer), Entry>,
    evidence: LogEvidence,
}

impl Reading<'_> {
    fn run(&mut self) -> Result<(), AuditError> {
        loop {
            match self.reader.next_step() {
                Ok(Step::Record(record)) => {
                    if !self.record(&record) {
                        return Ok(());
                    }
                }
                Ok(Step::NeedSegment(number)) => {
                    if !self.give(number)? {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.stop_at(error);
                    return Ok(());
                }
            }
        }
    }

    /// Gives the reader a segment, or ends if there is none.
    fn give(&mut self, number: u64) -> Result<bool, AuditError> {
        let mut bytes = None;
        if let Some(name) = self.segments.0.get(&number) {
            for archive in self.archives {
                bytes = bytes.or(archive.read(*name)?);
            }
        }
        let Some(bytes) = bytes else {
            if let Some((next, _)) = self.segments.0.range(number..).next() {
                let timeline = self.reader.timeline();
                let goes_on = Some(SegmentName::of(timeline, next - 1, self.size).to_string());
                let segment = SegmentName::of(timeline, number, self.size);
                self.evidence.damage = Some(Damage { segment, lsn: self.size.start_of(number), fault: None, goes_on });
            }
            return Ok(false);
        };
        let fault = Fault::SegmentLength { expected: self.size.bytes(), found: bytes.len() as u64 };
        let is_short = (bytes.len() as u64) < self.size.bytes();
        let given = self.reader.give(number, bytes);
        if let Err(error) = given {
            self.stop_at(error);
            return Ok(false);
        }
        let lsn = self.size.start_of(number);
        if let Some(found) = self.reader.system_identifier().filter(|found| *found != self.system) {
            self.stop_at(ReadError {
                lsn,
                fault: Fault::OtherSystem { expected: self.system, found },
                followed_by: None,
            });
            return Ok(false);
        }
        if is_short {
            self.stop_at(ReadError { lsn, fault, followed_by: None });
            return Ok(false);
        }
        self.evidence.segments += 1;
        Ok(true)
    }

    /// A complete segment is full of log up to its end, so whatever cannot be read in one is damage; a segment that is
    /// still being written, from the server's own directory, simply ends.
    fn stop_at(&mut self, error: ReadError) {
        let number = self.size.segment_of(error.lsn);
        let is_last = self.segments.0.keys().next_back().is_none_or(|last| *last <= number);
        if is_last && error.may_be_the_end() && is_end_of_live_log(&error.fault) {
            return;
        }
        let timeline = self.segments.0.get(&number).map_or(self.reader.timeline(), |name| name.timeline);
        let segment = SegmentName::of(timeline, number, self.size);
        let goes_on = error.followed_by.map(|lsn| lsn.to_string());
        self.evidence.damage = Some(Damage { segment, lsn: error.lsn, fault: Some(error.fault), goes_on });
    }

    /// Takes a record; false if it cannot be understood.
    fn record(&mut self, record: &Record) -> bool {
        self.evidence.records += 1;
        let xid = record.header.xid;
        if xid != 0 {
            self.evidence.open_xids.insert(xid);
            // Numbers wrap around; the newer of two is at most half the circle ahead.
            if self.evidence.highest_xid == 0 || xid.wrapping_sub(self.evidence.highest_xid).cast_signed() > 0 {
                self.evidence.highest_xid = xid;
            }
        }
        let Ok(transaction) = self.committed.take(record) else {
            let fault = Fault::Blocks { what: "an unknown body" };
            self.stop_at(ReadError { lsn: record.lsn, fault, followed_by: Some(record.end) });
            return false;
        };
        self.close_xids(record);
        self.evidence.until = record.end;
        if let Some(transaction) = transaction.filter(|ended| ended.commit_lsn >= self.from) {
            self.transaction(transaction);
        }
        true
    }

    fn close_xids(&mut self, record: &Record) {
        use pgstrata_wal::{Operation, TransactionOperation as Ended};
        if let Ok(Operation::Transaction(
            Ended::Commit(end) | Ended::CommitPrepared(end) | Ended::Abort(end) | Ended::AbortPrepared(end),
        )) = record.operation()
        {
            self.evidence.open_xids.remove(&end.xid);
            for xid in &end.subtransactions {
                self.evidence.open_xids.remove(xid);
            }
        }
    }

    fn transaction(&mut self, transaction: CommittedTransaction) {
        for change in transaction.changes {
            self.change(transaction.commit_lsn, transaction.xid, &change);
        }
    }

    fn change(&mut self, commit: Lsn, xid: u32, change: &Change) {
        let place = (change.relation, change.at);
        let at = change.lsn;
        let done = |act, was, now| Tampering { act, at, xid, was, now };
        match &change.kind {
            // A rewrite of the table fills its new files with what is there already.
            ChangeKind::Insert { row, fills_new_file: true } if change.relation != self.first_file => {
                self.places.extend(self.entry(row.as_ref()).map(|entry| (place, entry)));
            }
            ChangeKind::Insert { row, .. } => match self.entry(row.as_ref()) {
                Some(entry) => {
                    self.places.insert(place, entry);
                    let link = self.chain.append(commit, xid, &entry);
                    self.evidence.entries.push(Logged { entry, link });
                }
                None => self.evidence.tampering.push(done(Act::Unreadable, None, None)),
            },
            ChangeKind::Update(from, row) => {
                let now = self.entry(row.as_ref());
                let was = self.places.remove(&(change.relation, *from));
                if let Some(now) = now {
                    self.places.insert(place, now);
                }
                self.evidence.tampering.push(done(Act::Updated, was, now));
            }
            ChangeKind::Delete => {
                let was = self.places.remove(&place);
                self.evidence.tampering.push(done(Act::Deleted, was, None));
            }
            ChangeKind::Truncate(_) => self.evidence.tampering.push(done(Act::Truncated, None, None)),
        }
    }

    fn entry(&self, row: Option<&RowImage>) -> Option<Entry> {
        self.rows.read(row?.tuple()).ok()
    }
}

/// How a log that is still being written may end: nothing, or what was there before the file was used again.
fn is_end_of_live_log(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Nothing
            | Fault::PageAddress { .. }
            | Fault::PreviousRecord { .. }
            | Fault::RecordLength { .. }
            | Fault::Continuation { .. }
    )
}
