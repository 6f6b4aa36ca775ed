//! Small runs written by hand, each with the verdict that it must get.

use std::sync::Arc;

use super::*;
use crate::anomaly::{Anomaly, Scope};

const FIRST: Xid = Xid(100);
const DOCTORS: TableId = TableId(0);
const BARE: TableId = TableId(1);
const PLAIN_G2_ITEM: Anomaly = Anomaly::G2Item(Scope::Plain);

fn row(key: &str) -> RowId {
    RowId::new(DOCTORS, [key])
}

/// On call or not, as the log holds the row.
fn holds(id: &str, on_call: bool) -> State {
    let columns: Arc<[String]> = ["id".to_owned(), "on_call".to_owned()].into();
    let text = |text: &str| Field::Text(text.to_owned());
    State::Holds(Values { columns, fields: vec![text(id), text(if on_call { "t" } else { "f" })] })
}

fn update(key: &str) -> RowChange {
    RowChange { row: row(key), before: State::Present, after: State::Present }
}

fn insert(key: &str) -> RowChange {
    RowChange { row: row(key), before: State::Absent, after: State::Present }
}

fn delete(key: &str) -> RowChange {
    RowChange { row: row(key), before: State::Present, after: State::Absent }
}

fn commit(xid: u32, changes: Vec<RowChange>) -> Commit {
    Commit { xid: Xid(xid), changes, truncated: Vec::new() }
}

fn read(key: &str, xmin: u32) -> Step {
    Step::Read { row: row(key), seen: Seen::Version(Xid(xmin)), snapshot: None }
}

fn absent(key: &str, snapshot: Option<&str>) -> Step {
    let snapshot = snapshot.map(|text| Arc::new(Snapshot::parse(text).expect("a snapshot")));
    Step::Read { row: row(key), seen: Seen::Absent, snapshot }
}

fn wrote(key: &str, xmin: u32) -> Step {
    Step::Wrote { row: row(key), xmin: Some(Xid(xmin)), undone: false }
}

fn undone(key: &str, xmin: u32) -> Step {
    Step::Wrote { row: row(key), xmin: Some(Xid(xmin)), undone: true }
}

fn deleted(key: &str) -> Step {
    Step::Wrote { row: row(key), xmin: None, undone: false }
}

fn reads_where(predicate: Predicate, snapshot: &str) -> Step {
    let snapshot = Some(Arc::new(Snapshot::parse(snapshot).expect("a snapshot")));
    Step::ReadWhere { table: DOCTORS, predicate: Arc::new(predicate), snapshot }
}

fn observed(xid: impl Into<Option<u32>>, steps: Vec<Step>) -> Observed {
    let xid = xid.into().map(Xid);
    Observed { process: 0, status: Status::Committed, invoked_ns: 0, completed_ns: u64::MAX, xid, steps }
}

fn record(commits: Vec<Commit>, observed: Vec<Observed>) -> Record {
    let table = |name: &str, follow| Table { name: name.to_owned(), follow };
    let tables = vec![table("public.doctors", Follow::Rows), table("public.bare", Follow::WithoutKey)];
    // Each client does one transaction, one begun after the other.
    let observed =
        (0..).zip(observed).map(|(process, observed)| Observed { process, invoked_ns: u64::from(process), ..observed });
    Record { first_xid: FIRST, tables, commits, observed: observed.collect() }
}

fn judge(record: &Record) -> Judgement {
    check(record, Model::Serializable, &Limits::default())
}

fn anomalies(judgement: &Judgement) -> Vec<Anomaly> {
    judgement.verdict.counts.keys().copied().collect()
}

fn gaps(judgement: &Judgement) -> Vec<(GapKind, u64)> {
    judgement.coverage.gaps.iter().map(|gap| (gap.kind, gap.count)).collect()
}

#[test]
fn write_skew_is_a_cycle_of_two_anti_dependencies() {
    let judgement = judge(&record(
        vec![commit(101, vec![update("1")]), commit(102, vec![update("2")])],
        vec![
            observed(101, vec![read("1", 90), read("2", 90), wrote("1", 101)]),
            observed(102, vec![read("1", 90), read("2", 90), wrote("2", 102)]),
        ],
    ));
    assert_eq!(anomalies(&judgement), [PLAIN_G2_ITEM]);
    assert!(!judgement.holds());
    assert_eq!(gaps(&judgement), []);
    let [finding] = judgement.verdict.findings.as_slice() else { panic!("{:?}", judgement.verdict.findings) };
    let mut steps: Vec<_> = finding
        .cycle
        .iter()
        .map(|edge| (judgement.history.key_name(edge.key.expect("a row")), edge.from_value, edge.to_value))
        .collect();
    steps.sort_unstable();
    assert_eq!(steps, [("public.doctors(1)", None, Some(1)), ("public.doctors(2)", None, Some(1))]);
    assert_eq!((judgement.coverage.reads, judgement.coverage.reads_of_initial, judgement.coverage.versions), (4, 4, 2));
}

#[test]
fn the_same_reads_one_after_the_other_are_serializable() {
    let judgement = judge(&record(
        vec![commit(101, vec![update("1")]), commit(102, vec![update("2")])],
        vec![
            observed(101, vec![read("1", 90), read("2", 90), wrote("1", 101)]),
            observed(102, vec![read("1", 101), read("2", 90), wrote("2", 102)]),
        ],
    ));
    assert_eq!(anomalies(&judgement), []);
    assert!(judgement.holds());
}

#[test]
fn an_update_made_without_another_one_is_lost() {
    let judgement = judge(&record(
        vec![commit(101, vec![update("1")]), commit(102, vec![update("1")])],
        vec![observed(101, vec![read("1", 90), wrote("1", 101)]), observed(102, vec![read("1", 90), wrote("1", 102)])],
    ));
    assert_eq!(anomalies(&judgement), [Anomaly::LostUpdate, Anomaly::GSingle(Scope::Plain)]);
}

#[test]
fn a_row_read_twice_with_a_commit_in_between_is_a_fractured_read() {
    let judgement = judge(&record(
        vec![commit(101, vec![update("1"), update("2")])],
        vec![
            observed(101, vec![wrote("1", 101), wrote("2", 101)]),
            observed(None, vec![read("1", 90), read("2", 101)]),
        ],
    ));
    assert_eq!(anomalies(&judgement), [Anomaly::GSingle(Scope::Plain)]);
}

#[test]
fn several_changes_of_one_transaction_are_one_version() {
    let judgement = judge(&record(
        vec![commit(101, vec![update("1"), update("1"), update("1")]), commit(102, vec![delete("1"), insert("1")])],
        vec![
            observed(101, vec![wrote("1", 101), read("1", 101), wrote("1", 101)]),
            observed(102, vec![read("1", 101), deleted("1"), wrote("1", 102), read("1", 102)]),
        ],
    ));
    assert_eq!((judgement.coverage.rows, judgement.coverage.versions), (1, 2));
    assert_eq!((judgement.verdict.arcs, gaps(&judgement)), (2, vec![]), "ww and wr from the first to the second");
    assert!(judgement.holds());
}

#[test]
fn a_savepoints_version_is_its_transactions() {
    // 103 is a savepoint of 101, 105 one of 102 whose client did not look at what it wrote.
    let skew = |known: bool| {
        let wrote = |key, number| if known { vec![wrote(key, number)] } else { Vec::new() };
        record(
            vec![
                commit(101, vec![update("1")]),
                commit(102, vec![update("2")]),
                commit(110, vec![update("1"), update("2")]),
            ],
            vec![
                observed(101, [vec![read("2", 90)], wrote("1", 103)].concat()),
                observed(102, [vec![read("1", 90)], wrote("2", 105)].concat()),
                observed(110, vec![read("1", 103), read("2", 105)]),
            ],
        )
    };
    for known in [true, false] {
        let judgement = judge(&skew(known));
        assert_eq!(anomalies(&judgement), [PLAIN_G2_ITEM], "{known}");
        assert_eq!(judgement.coverage.savepoints_inferred, if known { 0 } else { 2 });
        assert_eq!(gaps(&judgement), []);
    }
}

#[test]
fn a_savepoint_nobody_can_place_is_a_gap_unless_a_snapshot_tells() {
    let with = |snapshot: Option<&str>| {
        let snapshot = snapshot.map(|text| Arc::new(Snapshot::parse(text).expect("a snapshot")));
        let read = Step::Read { row: row("1"), seen: Seen::Version(Xid(108)), snapshot };
        judge(&record(
            vec![commit(101, vec![update("1")]), commit(102, vec![update("1")]), commit(103, vec![update("2")])],
            vec![observed(None, vec![read])],
        ))
    };
    let judgement = with(None);
    assert_eq!(gaps(&judgement), [(GapKind::WriterNotWatched, 3), (GapKind::WriterUnknown, 1)]);
    let judgement = with(Some("102:110:102"));
    assert_eq!(gaps(&judgement), [(GapKind::WriterNotWatched, 3)]);
    let ends: Vec<_> = judgement.history.operations(judgement.history.transaction(TransactionId(0))).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(matches!(ends[0], Operation::Read { seen: Read::Value(1), .. }), "102 is not seen: {ends:?}");
}

#[test]
fn what_a_rolled_back_savepoint_or_transaction_wrote_must_not_be_read() {
    let judgement = judge(&record(
        vec![commit(101, vec![update("1")])],
        vec![
            observed(101, vec![wrote("1", 101), undone("1", 102)]),
            Observed { status: Status::Aborted, ..observed(104, vec![wrote("2", 104)]) },
            Observed { status: Status::Unknown, ..observed(105, vec![wrote("3", 105)]) },
            observed(None, vec![read("1", 101)]),
        ],
    ));
    assert!(judgement.holds(), "{:?}", judgement.verdict.findings);
    for (key, number) in [("1", 102), ("2", 104), ("3", 105)] {
        let judgement = judge(&record(
            vec![commit(101, vec![update("1")])],
            vec![
                observed(101, vec![wrote("1", 101), undone("1", 102)]),
                Observed { status: Status::Aborted, ..observed(104, vec![wrote("2", 104)]) },
                Observed { status: Status::Unknown, ..observed(105, vec![wrote("3", 105)]) },
                observed(None, vec![read(key, number)]),
            ],
        ));
        assert_eq!(anomalies(&judgement), [Anomaly::G1a], "{key}");
    }
}

#[test]
fn what_its_writer_replaced_before_it_committed_must_not_be_read() {
    let judgement = judge(&record(
        vec![commit(101, vec![update("1"), update("1")]), commit(103, vec![insert("2"), delete("2")])],
        vec![
            observed(101, vec![wrote("1", 101), wrote("1", 102)]),
            observed(103, vec![wrote("2", 103), deleted("2")]),
            observed(None, vec![read("1", 101)]),
            observed(None, vec![read("2", 103)]),
        ],
    ));
    assert_eq!(anomalies(&judgement), [Anomaly::G1b]);
    assert_eq!(judgement.verdict.counts[&Anomaly::G1b], 2);
}

#[test]
fn a_transaction_whose_outcome_its_client_never_heard_is_settled_by_the_log() {
    let lost = |commits| {
        let reads = vec![read("2", 90), wrote("1", 101)];
        judge(&record(
            commits,
            vec![
                Observed { status: Status::Unknown, ..observed(101, reads) },
                observed(102, vec![read("1", 90), wrote("2", 102)]),
            ],
        ))
    };
    let committed = lost(vec![commit(101, vec![update("1")]), commit(102, vec![update("2")])]);
    assert_eq!(anomalies(&committed), [PLAIN_G2_ITEM]);
    let aborted = lost(vec![commit(102, vec![update("2")])]);
    assert!(aborted.holds());
    assert_eq!(aborted.coverage.committed, 1);
}

#[test]
fn a_commit_that_the_log_denies_is_convicted_both_ways() {
    let judgement = judge(&record(
        vec![commit(102, vec![update("2")])],
        vec![
            observed(101, vec![wrote("1", 101)]),
            Observed { status: Status::Aborted, ..observed(102, vec![wrote("2", 102)]) },
            observed(103, vec![undone("1", 104)]),
        ],
    ));
    let expect = [(TransactionId(0), Contradiction::CommitNotInLog), (TransactionId(1), Contradiction::AbortedInLog)];
    assert_eq!(judgement.contradicted, expect);
    assert!(judgement.verdict.holds && !judgement.holds());
}

#[test]
fn a_missing_row_is_a_version_too() {
    // Both find nothing and insert: skew over absences.
    let judgement = judge(&record(
        vec![commit(101, vec![insert("1")]), commit(102, vec![insert("2")])],
        vec![
            observed(101, vec![absent("2", None), wrote("1", 101)]),
            observed(102, vec![absent("1", None), wrote("2", 102)]),
        ],
    ));
    assert_eq!(anomalies(&judgement), [PLAIN_G2_ITEM]);
    // A deletion is read, and what follows it is an anti-dependency; the reader is in between.
    let judgement = judge(&record(
        vec![commit(101, vec![delete("1")]), commit(103, vec![insert("1")])],
        vec![
            observed(101, vec![deleted("1"), absent("1", None)]),
            observed(None, vec![absent("1", None)]),
            observed(103, vec![]),
        ],
    ));
    assert_eq!(judgement.verdict.arcs, 3, "ww, wr and rw");
    assert_eq!(gaps(&judgement), []);
}

#[test]
fn an_absence_that_could_be_two_is_a_gap_unless_a_snapshot_tells() {
    let with = |snapshot| {
        judge(&record(
            vec![commit(101, vec![insert("1")]), commit(102, vec![delete("1")]), commit(103, vec![insert("1")])],
            vec![
                observed(101, vec![]),
                observed(102, vec![]),
                observed(103, vec![]),
                observed(None, vec![absent("1", snapshot)]),
            ],
        ))
    };
    assert_eq!(gaps(&with(None)), [(GapKind::AbsenceAmbiguous, 1)]);
    assert_eq!(gaps(&with(Some("101:101:"))), []);
    assert_eq!(with(Some("101:101:")).verdict.arcs, 3, "before everything: only rw beside two ww");
    assert_eq!(with(Some("103:103:")).verdict.arcs, 4, "after the deletion: wr and rw");
    assert_eq!(gaps(&with(Some("102:102:"))), [(GapKind::NotInLog, 1)], "it was there");
}

#[test]
fn a_condition_that_others_made_true_is_an_anti_dependency_of_a_predicate() {
    let on_call = || Predicate::equals("on_call", "t");
    let off = |key: &str| RowChange { row: row(key), before: holds(key, true), after: holds(key, false) };
    // Each counts who is on call, sees two, and goes home: no row is read, only counted.
    let skew = |changes: [RowChange; 2]| {
        let [first, second] = changes;
        judge(&record(
            vec![commit(101, vec![first]), commit(102, vec![second])],
            vec![
                observed(101, vec![reads_where(on_call(), "101:101:"), wrote("1", 101)]),
                observed(102, vec![reads_where(on_call(), "101:103:101"), wrote("2", 102)]),
            ],
        ))
    };
    let judgement = skew([off("1"), off("2")]);
    assert_eq!(anomalies(&judgement), [Anomaly::G2(Scope::Plain)]);
    assert!(!judgement.holds());
    assert!(check(&record(vec![], vec![]), Model::RepeatableRead, &Limits::default()).holds());

    // What matches as before changes nothing for who only counts.
    let stays = |key: &str| RowChange { row: row(key), before: holds(key, true), after: holds(key, true) };
    assert_eq!(anomalies(&skew([stays("1"), off("2")])), []);
    // A phantom: a row that was not there.
    let appears = RowChange { row: row("3"), before: State::Absent, after: holds("3", true) };
    assert_eq!(anomalies(&skew([appears, off("2")])), [Anomaly::G2(Scope::Plain)]);
    // What the log does not hold decides nothing, and is said.
    let judgement = skew([update("1"), off("2")]);
    assert_eq!(anomalies(&judgement), []);
    assert_eq!(gaps(&judgement), [(GapKind::PredicateUndecided, 1)]);
}

#[test]
fn a_condition_depends_on_who_made_it_so_before() {
    let appears = RowChange { row: row("3"), before: State::Absent, after: holds("3", true) };
    let judgement = judge(&record(
        vec![commit(101, vec![appears, update("1")])],
        vec![
            observed(101, vec![wrote("3", 101), wrote("1", 101)]),
            // It counts the new row, and reads the old version of the other one.
            observed(None, vec![reads_where(Predicate::equals("on_call", "t"), "102:102:"), read("1", 90)]),
        ],
    ));
    assert_eq!(anomalies(&judgement), [Anomaly::GSingle(Scope::Plain)]);
}

#[test]
fn what_cannot_be_followed_is_said() {
    let elsewhere = |table| Step::Read { row: RowId::new(table, ["1"]), seen: Seen::Version(Xid(90)), snapshot: None };
    let emptied = Commit { truncated: vec![DOCTORS], ..commit(101, vec![update("1")]) };
    let judgement = judge(&record(
        vec![emptied, commit(104, vec![update("1")])],
        vec![
            observed(101, vec![read("1", 90), wrote("1", 101), elsewhere(BARE)]),
            observed(
                None,
                vec![Step::ReadWhere { table: BARE, predicate: Arc::new(Predicate::all()), snapshot: None }],
            ),
        ],
    ));
    let expect = [(GapKind::TableWithoutKey, 2), (GapKind::Truncated, 1), (GapKind::WriterNotWatched, 1)];
    assert_eq!(gaps(&judgement), expect);
    let without_snapshot = Step::ReadWhere { table: DOCTORS, predicate: Arc::new(Predicate::all()), snapshot: None };
    let judgement = judge(&record(vec![], vec![observed(None, vec![without_snapshot, read("1", 120)])]));
    assert_eq!(gaps(&judgement), [(GapKind::WriterUnknown, 1), (GapKind::PredicateWithoutSnapshot, 1)]);
}

#[test]
fn real_time_convicts_a_stale_read_only_where_it_is_asked_for() {
    let late = Observed { completed_ns: 5_000, ..observed(None, vec![read("1", 90)]) };
    let mut record = record(vec![commit(101, vec![update("1")])], vec![observed(101, vec![wrote("1", 101)]), late]);
    record.observed[0].completed_ns = 500;
    record.observed[1].invoked_ns = 1_000;
    let judge = |model| check(&record, model, &Limits::default());
    assert!(judge(Model::Serializable).holds());
    let strict = judge(Model::StrictSerializable);
    assert_eq!(anomalies(&strict), [Anomaly::GSingle(Scope::RealTime)]);
}
