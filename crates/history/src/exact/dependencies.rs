//! From versions and reads to the edges of the dependency graph.
//!
//! `ww` from the order of the versions, `wr` from the writer of what was read, `rw` to the writer of the version after
//! it; for conditions, `rw` to the first later writer of each row who made it match or stop matching (Adya, "Weak
//! Consistency", MIT 1999, definitions 4.4.1 to 4.4.5). Nothing is guessed: what cannot be told is a gap.

use std::collections::{HashMap, HashSet};

use super::coverage::{Coverage, GapKind, Gaps};
use super::predicate::Predicate;
use super::record::{Follow, RowId, Seen, Snapshot, State, Step, TableId};
use super::versions::{Index, Version, Versions};
use crate::anomaly::Anomaly;
use crate::graph::{Dependency, Evidence, GraphBuilder};
use crate::model::{Key, Status, TransactionId, Value};
use crate::verdict::{Finding, Observation};

/// How many times conditions are evaluated on rows at most; about a second.
const EVALUATIONS_MOST: u64 = 20_000_000;

/// The edges of a run, as they are found.
pub(super) struct Derivation<'i, 'a> {
    index: &'i mut Index<'a>,
    graph: GraphBuilder,
    seen: HashSet<(TransactionId, TransactionId, Dependency, Key)>,
    findings: Vec<Finding>,
    coverage: Coverage,
    gaps: Gaps,
    /// What was read of which version, for lost updates.
    read_versions: HashMap<(Key, Option<u32>), Vec<TransactionId>>,
    rows_of: HashMap<TableId, Vec<Key>>,
    evaluations: u64,
    /// What each transaction read, for the history: the version's number, 0 for the initial state.
    reads: Vec<Vec<(Key, Value)>>,
}

/// One read of one row.
struct RowRead<'a> {
    reader: TransactionId,
    row: &'a RowId,
    own: bool,
    seen: Seen,
    snapshot: Option<&'a Snapshot>,
}

impl<'i, 'a> Derivation<'i, 'a> {
    pub fn new(index: &'i mut Index<'a>, graph: GraphBuilder) -> Self {
        let reads = index.order.iter().map(|_| Vec::new()).collect();
        Self {
            index,
            graph,
            seen: HashSet::new(),
            findings: Vec::new(),
            coverage: Coverage::default(),
            gaps: Gaps::default(),
            read_versions: HashMap::new(),
            rows_of: HashMap::new(),
            evaluations: 0,
            reads,
        }
    }

    /// Finds all edges.
    pub fn derive(mut self) -> Derived {
        // Every row that is read gets its key first, so that the rows of a table are known to its conditions.
        for (_, observed) in self.index.observed() {
            for step in &observed.steps {
                if let Step::Read { row, .. } = step {
                    self.index.key(row);
                }
            }
        }
        self.order_versions();
        for (id, observed) in self.index.observed() {
            if self.index.status[id.0 as usize] == Status::Committed {
                self.coverage.committed += 1;
                self.transaction(id, &observed.steps);
            }
        }
        self.lost_updates();
        for commit in &self.index.unobserved {
            self.gaps.add(GapKind::WriterNotWatched, || format!("transaction {}", commit.xid));
        }
        self.coverage.savepoints_inferred = self.index.inferred;
        self.coverage.gaps = self.gaps.finish();
        Derived { graph: self.graph, findings: self.findings, coverage: self.coverage, reads: self.reads }
    }

    fn order_versions(&mut self) {
        for number in 0..self.index.rows.len() {
            let row = &self.index.rows[number];
            if !self.index.follows(row.id.table) {
                continue;
            }
            let key = key_of(number);
            self.rows_of.entry(row.id.table).or_default().push(key);
            self.coverage.rows += u64::from(!row.list.is_empty());
            self.coverage.versions += row.list.len() as u64;
            let writers: Vec<TransactionId> = row.list.iter().map(|(writer, _)| *writer).collect();
            for (place, pair) in (0..).zip(writers.windows(2)) {
                let evidence = evidence(key, Some(place), Some(place + 1));
                self.edge(pair[0], pair[1], Dependency::WriteWrite, evidence);
            }
        }
    }

    fn transaction(&mut self, reader: TransactionId, steps: &'a [Step]) {
        let mut written: HashSet<&RowId> = HashSet::new();
        for step in steps {
            match step {
                Step::Wrote { row, undone, .. } => {
                    if !undone {
                        written.insert(row);
                    }
                }
                Step::Read { row, seen, snapshot } => {
                    let own = written.contains(row);
                    self.read(&RowRead { reader, row, own, seen: *seen, snapshot: snapshot.as_deref() });
                }
                Step::ReadWhere { table, predicate, snapshot } => {
                    self.read_where(reader, *table, predicate, snapshot.as_deref());
                }
            }
        }
    }

    fn read(&mut self, read: &RowRead<'a>) {
        self.coverage.reads += 1;
        if !self.is_followed(read.row.table) {
            return;
        }
        let key = self.index.key(read.row);
        let version = self.index.version(read.reader, key, read.own, read.seen, read.snapshot);
        let place = match version {
            Version::Own => return,
            Version::Initial => {
                self.coverage.reads_of_initial += 1;
                None
            }
            Version::Of(place) => Some(place),
            Version::Aborted(writer) => return self.observed(Anomaly::G1a, read, writer, key),
            Version::Intermediate(writer) => return self.observed(Anomaly::G1b, read, writer, key),
            Version::WriterUnknown => return self.gap(GapKind::WriterUnknown, read.row),
            Version::Ambiguous => return self.gap(GapKind::AbsenceAmbiguous, read.row),
            Version::Impossible => return self.gap(GapKind::NotInLog, read.row),
        };
        self.reads[read.reader.0 as usize].push((key, place.map_or(0, number)));
        self.read_versions.entry((key, place)).or_default().push(read.reader);
        let row = &self.index.rows[key.0 as usize];
        let writer = place.map(|place| row.list[place as usize].0);
        let next = place.map_or(0, |place| place + 1);
        let overwriter = row.list.get(next as usize).map(|(writer, _)| *writer);
        if let Some(writer) = writer {
            self.edge(writer, read.reader, Dependency::WriteRead, evidence(key, place, place));
        }
        if let Some(overwriter) = overwriter {
            self.edge(read.reader, overwriter, Dependency::ReadWrite, evidence(key, place, Some(next)));
        }
    }

    /// A read by a condition: for each row of the table, what the snapshot saw and who changed it later.
    fn read_where(
        &mut self,
        reader: TransactionId,
        table: TableId,
        predicate: &Predicate,
        snapshot: Option<&Snapshot>,
    ) {
        self.coverage.predicate_reads += 1;
        if !self.is_followed(table) {
            return;
        }
        let name = || format!("{} where {predicate}", self.index.record.tables[table.0 as usize].name);
        let Some(snapshot) = snapshot else {
            self.gaps.add(GapKind::PredicateWithoutSnapshot, name);
            return;
        };
        let rows = self.rows_of.remove(&table).unwrap_or_default();
        for key in &rows {
            if self.evaluations > EVALUATIONS_MOST {
                self.gaps.add(GapKind::PredicateNotEvaluated, || predicate.to_string());
                break;
            }
            self.row_where(reader, *key, predicate, snapshot);
        }
        self.rows_of.insert(table, rows);
    }

    fn row_where(&mut self, reader: TransactionId, key: Key, predicate: &Predicate, snapshot: &Snapshot) {
        let row = &self.index.rows[key.0 as usize];
        let visible = self.index.seen_versions(row, snapshot);
        let mut undecided = 0_u64;
        let mut edges = Vec::new();
        // The last one before the snapshot whose change the read depends on.
        for place in (0..visible).rev() {
            self.evaluations += 1;
            match changes_match(row, place, predicate) {
                Some(false) => {}
                Some(true) => {
                    let dependency = Dependency::WriteRead;
                    edges.push((
                        row.list[place].0,
                        reader,
                        dependency,
                        evidence(key, Some(of(place)), Some(of(place))),
                    ));
                    break;
                }
                None => {
                    undecided += 1;
                    break;
                }
            }
        }
        // The first one after it.
        for place in visible..row.list.len() {
            self.evaluations += 1;
            let writer = row.list[place].0;
            if writer == reader {
                // The reader's own version: whoever comes after it comes after the reader anyway.
                break;
            }
            match changes_match(row, place, predicate) {
                Some(false) => {}
                Some(true) => {
                    let evidence = evidence(key, place.checked_sub(1).map(of), Some(of(place)));
                    edges.push((reader, writer, Dependency::PredicateReadWrite, evidence));
                    break;
                }
                None => undecided += 1,
            }
        }
        let name = row.id;
        for _ in 0..undecided {
            self.gaps.add(GapKind::PredicateUndecided, || format!("{predicate} on {}", name.key));
        }
        for (from, to, dependency, evidence) in edges {
            self.edge(from, to, dependency, evidence);
        }
    }

    /// Two transactions that read the same version and both went on to write the row: the second one's version was
    /// made without the first one's.
    fn lost_updates(&mut self) {
        for ((key, place), readers) in std::mem::take(&mut self.read_versions) {
            let row = &self.index.rows[key.0 as usize];
            let from = place.map_or(0, |place| place as usize + 1);
            let readers: HashSet<TransactionId> = readers.into_iter().collect();
            let mut writers = row.list[from..].iter().map(|(writer, _)| *writer).filter(|id| readers.contains(id));
            let Some(first) = writers.next() else { continue };
            for second in writers {
                self.findings.push(Finding {
                    anomaly: Anomaly::LostUpdate,
                    transactions: vec![first, second],
                    cycle: Vec::new(),
                    observation: Some(observation(key, place.map(number))),
                });
            }
        }
    }

    fn is_followed(&mut self, table: TableId) -> bool {
        let Some(known) = self.index.record.tables.get(table.0 as usize) else { return false };
        let kind = match known.follow {
            Follow::WithoutKey => GapKind::TableWithoutKey,
            Follow::NotLogged => GapKind::TableNotLogged,
            Follow::Rows if self.index.truncated.contains(&table) => GapKind::Truncated,
            Follow::Rows => return true,
        };
        self.gaps.add(kind, || known.name.clone());
        false
    }

    fn gap(&mut self, kind: GapKind, row: &RowId) {
        let tables = &self.index.record.tables;
        self.gaps.add(kind, || row_name(&tables[row.table.0 as usize].name, row));
    }

    /// A read that no cycle is needed to see through. Its version has no number but that of its writer.
    fn observed(&mut self, anomaly: Anomaly, read: &RowRead<'_>, writer: TransactionId, key: Key) {
        let number = match read.seen {
            Seen::Version(xid) => Some(Value::from(xid.0)),
            Seen::Absent => None,
        };
        self.findings.push(Finding {
            anomaly,
            transactions: vec![read.reader, writer],
            cycle: Vec::new(),
            observation: Some(observation(key, number)),
        });
    }

    fn edge(&mut self, from: TransactionId, to: TransactionId, dependency: Dependency, evidence: Evidence) {
        let key = evidence.key.unwrap_or(Key(u32::MAX));
        if from != to && self.seen.insert((from, to, dependency, key)) {
            self.graph.add_edge(from, to, dependency, evidence);
        }
    }
}

/// What a derivation found.
pub(super) struct Derived {
    pub graph: GraphBuilder,
    pub findings: Vec<Finding>,
    pub coverage: Coverage,
    pub reads: Vec<Vec<(Key, Value)>>,
}

/// Whether the version at this place made its row match the condition, or stop matching it.
fn changes_match(row: &Versions<'_>, place: usize, predicate: &Predicate) -> Option<bool> {
    let matches = |state: &State| match state {
        State::Absent => Some(false),
        State::Present => None,
        State::Holds(values) => predicate.matches(values),
    };
    Some(matches(row.state(place))? != matches(row.state(place + 1))?)
}

/// The row as people read it.
pub(super) fn row_name(table: &str, row: &RowId) -> String {
    format!("{table}({})", row.key)
}

/// Versions are numbered from 1; 0 is the initial state.
pub(super) fn number(place: u32) -> Value {
    Value::from(place) + 1
}

fn evidence(key: Key, from: Option<u32>, to: Option<u32>) -> Evidence {
    Evidence { key: Some(key), from_value: from.map(number), to_value: to.map(number) }
}

fn observation(key: Key, value: Option<Value>) -> Observation {
    Observation { key, value, seen: value.into_iter().collect(), against: Vec::new() }
}

fn of(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn key_of(number: usize) -> Key {
    Key(of(number))
}
