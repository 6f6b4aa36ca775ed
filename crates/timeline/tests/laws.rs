//! What must hold of any log: it folds, it resumes, it is the same after a file, and no damage to a file goes unnoticed.

use std::collections::BTreeMap;

use pgstrata_timeline::file::{Cadence, Encoder, Ending, FORMAT, FileError, Header, Recorded};
use pgstrata_timeline::{
    At, Cause, Change, Item, Key, Log, LogLimits, Moment, Origin, PutItem, Resume, Tier, Transaction, TransactionState,
};
use pgstrata_units::{Lsn, Xid};
use proptest::prelude::*;

/// Blocks and keyframes so small that a short log has many of both.
const SMALL: Cadence = Cadence { block_bytes: 700, block_us: 1_000_000, keyframe_bytes: 1_500 };

/// What the generated servers consist of: some transactions, each in one of its states.
type Picture = BTreeMap<u64, u8>;

fn items(picture: &Picture) -> Vec<PutItem> {
    let states = [TransactionState::InProgress, TransactionState::Committed, TransactionState::Aborted];
    let item = |(xid, state): (&u64, &u8)| {
        let transaction = Transaction {
            xid: Xid(*xid),
            top: None,
            state: states[usize::from(*state) % states.len()],
            pid: None,
            began: None,
            ended: None,
            ended_us: None,
        };
        Item::Transaction(transaction).known(Origin::Sampled)
    };
    picture.iter().map(item).collect()
}

fn at(step: usize) -> At {
    let (step, lsn) = (i64::try_from(step).expect("few steps"), Lsn(0x100_0000 + step as u64));
    At { unix_us: 1_700_000_000_000_000 + step * 40_000, lsn: (step % 3 != 0).then_some(lsn) }
}

fn log_of(pictures: &[Picture], limits: LogLimits) -> (Log, Vec<Moment>, Vec<Change>) {
    let mut log = Log::new(limits);
    let (mut moments, mut changes) = (vec![log.moment().clone()], Vec::new());
    for (step, picture) in pictures.iter().enumerate() {
        if let Some(change) = log.push(items(picture), at(step), Cause::Sample) {
            moments.push(log.moment().clone());
            changes.push(Change::clone(&change));
        }
    }
    (log, moments, changes)
}

fn header() -> Header {
    Header {
        format: FORMAT,
        program: "pgstrata test".to_owned(),
        server: "15.18".to_owned(),
        database: "shop".to_owned(),
        tiers: vec![Tier::Sql],
        table: Some("public.account".to_owned()),
        row: None,
        began_us: at(0).unix_us,
        title: None,
    }
}

/// The whole file, and where each of its appended parts ends.
fn file_of(changes: &[Change]) -> (Vec<u8>, Vec<usize>) {
    let (mut encoder, mut bytes) = Encoder::begin(&header(), Moment::default(), SMALL).expect("it has a JSON form");
    let mut ends = vec![bytes.len()];
    for change in changes {
        bytes.extend(encoder.append(change).expect("the changes are in order"));
        ends.push(bytes.len());
    }
    bytes.extend(encoder.finish(Ending::Stopped).expect("it has a JSON form"));
    (bytes, ends)
}

fn pictures() -> impl Strategy<Value = Vec<Picture>> {
    prop::collection::vec(prop::collection::btree_map(700_u64..712, 0_u8..3, 0..8), 1..40)
}

proptest! {
    // Each case writes and reads whole files.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_changes_of_a_log_fold_into_its_moments(pictures in pictures()) {
        let (_, moments, changes) = log_of(&pictures, LogLimits::default());
        let mut folded = Moment::default();
        for (change, moment) in changes.iter().zip(&moments[1..]) {
            prop_assert!(folded.fold(change));
            prop_assert_eq!(&folded, moment);
            prop_assert!(folded.fold(change), "a repeated change is passed over");
            prop_assert_eq!(&folded, moment);
        }
    }

    #[test]
    fn a_moment_is_the_picture_it_was_made_of_and_numbers_have_no_gaps(pictures in pictures()) {
        let mut log = Log::new(LogLimits::default());
        for (step, picture) in pictures.iter().enumerate() {
            let before = log.moment().seq;
            let change = log.push(items(picture), at(step), Cause::Sample);
            prop_assert_eq!(log.moment().seq, before + u64::from(change.is_some()));
            let expected: Vec<PutItem> = items(picture);
            prop_assert_eq!(log.moment().items.values().cloned().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_change_out_of_turn_is_refused_and_changes_nothing(pictures in pictures(), from in 0_usize..50) {
        let (_, moments, changes) = log_of(&pictures, LogLimits::default());
        prop_assume!(from + 1 < changes.len());
        let mut moment = moments[from].clone();
        prop_assert!(!moment.fold(&changes[from + 1]));
        prop_assert_eq!(&moment, &moments[from]);
    }

    #[test]
    fn whoever_resumes_comes_to_the_present_however_little_is_kept(
        pictures in pictures(), after in 0_u64..70, kept in 1_usize..20, limit in 1_usize..9,
    ) {
        let (log, moments, _) = log_of(&pictures, LogLimits { changes: kept, bytes: 20_000 });
        let known = usize::try_from(after).expect("small");
        let mut mine = moments.get(known).cloned().unwrap_or_default();
        let mut asked = after;
        for _ in 0..=moments.len() {
            match log.since(asked, limit) {
                Resume::Changes(changes) => {
                    prop_assert!(changes.len() <= limit);
                    for change in changes {
                        prop_assert!(mine.fold(&change));
                    }
                }
                Resume::Moment(moment) => mine = moment,
            }
            asked = mine.seq;
        }
        prop_assert_eq!(&mine, log.moment());
    }

    #[test]
    fn what_is_kept_stays_within_its_limits(pictures in pictures(), kept in 1_usize..9, bytes in 1_usize..20_000) {
        let mut log = Log::new(LogLimits { changes: kept, bytes });
        for (step, picture) in pictures.iter().enumerate() {
            log.push(items(picture), at(step), Cause::Sample);
            let (changes, size) = log.kept();
            prop_assert!(changes <= kept);
            prop_assert!(size <= bytes || changes == 1);
        }
    }

    #[test]
    fn a_file_gives_back_every_moment_and_every_change(pictures in pictures(), after in 0_usize..60, limit in 0_usize..70) {
        let (_, moments, changes) = log_of(&pictures, LogLimits::default());
        let recorded = Recorded::open(file_of(&changes).0).expect("a whole file");
        prop_assert_eq!((recorded.ending(), recorded.torn()), (Ending::Stopped, None));
        prop_assert_eq!((recorded.first(), recorded.last()), (0, changes.len() as u64));
        prop_assert_eq!(recorded.header(), &header());
        for moment in &moments {
            prop_assert_eq!(&recorded.moment_at(moment.seq).expect("it is in the file"), moment);
        }
        prop_assume!(after <= changes.len());
        let expected: Vec<_> = changes.iter().skip(after).take(limit).cloned().collect();
        prop_assert_eq!(recorded.changes(after as u64, limit).expect("it is in the file"), expected);
    }

    #[test]
    fn times_and_positions_are_found(pictures in pictures(), step in 0_usize..60) {
        let (_, _, changes) = log_of(&pictures, LogLimits::default());
        let recorded = Recorded::open(file_of(&changes).0).expect("a whole file");
        let when = at(step).unix_us;
        let expected = changes.iter().rfind(|change| change.at.unix_us <= when).map_or(0, |change| change.seq);
        prop_assert_eq!(recorded.seq_at(when).expect("the file is whole"), expected);
        let lsn = Lsn(0x100_0000 + step as u64);
        // A change that tells no position stands at the one before it.
        let is_before = |change: &&Change| change.at.lsn.is_none_or(|at| at <= lsn);
        let expected = changes.iter().take_while(is_before).last().map_or(0, |change| change.seq);
        prop_assert_eq!(recorded.seq_at_lsn(lsn).expect("the file is whole"), expected);
    }

    #[test]
    fn a_file_cut_off_anywhere_keeps_what_was_whole(pictures in pictures(), cut: prop::sample::Index) {
        let (_, moments, changes) = log_of(&pictures, LogLimits::default());
        let (bytes, ends) = file_of(&changes);
        let length = cut.index(bytes.len());
        match Recorded::open(bytes[..length].to_vec()) {
            Err(FileError::NotARecording | FileError::NoBeginning { .. }) => prop_assert!(length < ends[0]),
            Err(error) => prop_assert!(false, "{error}"),
            Ok(recorded) => {
                prop_assert!(recorded.torn().is_some());
                let last = usize::try_from(recorded.last()).expect("few changes");
                prop_assert_eq!(recorded.moment_at(recorded.last()).expect("it was whole"), moments[last].clone());
                // Everything that had been handed to the file before the cut is there.
                let handed = ends.iter().rposition(|end| *end <= length).expect("the beginning is whole");
                let closed = (0..=handed).rev().find(|at| *at == 0 || ends[*at] > ends[*at - 1]).unwrap_or(0);
                prop_assert!(last >= closed.min(handed), "{last} of {closed}");
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed_or_cuts_the_file(pictures in pictures(), place: prop::sample::Index, flip in 1_u8..) {
        let (_, moments, changes) = log_of(&pictures, LogLimits::default());
        let (mut bytes, _) = file_of(&changes);
        let at = place.index(bytes.len());
        bytes[at] ^= flip;
        let Ok(recorded) = Recorded::open(bytes) else { return Ok(()) };
        for moment in &moments {
            if let Ok(found) = recorded.moment_at(moment.seq) {
                prop_assert_eq!(&found, moment);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), with_magic: bool) {
        let mut file = if with_magic { b"PGSTLOG1".to_vec() } else { Vec::new() };
        file.extend(bytes);
        if let Ok(recorded) = Recorded::open(file) {
            let _ = recorded.moment_at(recorded.last());
        }
    }
}

#[test]
fn a_sample_that_shows_nothing_new_is_no_change_but_a_statement_is() {
    let mut log = Log::new(LogLimits::default());
    let picture = Picture::from([(700, 0)]);
    assert!(log.push(items(&picture), at(0), Cause::Sample).is_some());
    assert!(log.push(items(&picture), at(1), Cause::Sample).is_none());
    let statement = Cause::Statement { console: "a".to_owned(), pid: 7, sql: "select 1".to_owned() };
    assert_eq!(log.push(items(&picture), at(2), statement).map(|change| change.seq), Some(2));
}

#[test]
fn a_recording_may_begin_in_the_middle_of_a_log() {
    let pictures: Vec<Picture> = (0..30_u8).map(|step| Picture::from([(700, step), (701, step / 2)])).collect();
    let (_, moments, changes) = log_of(&pictures, LogLimits::default());
    let (mut encoder, mut bytes) = Encoder::begin(&header(), moments[10].clone(), SMALL).expect("it has a JSON form");
    for change in &changes[5..] {
        bytes.extend(encoder.append(change).expect("changes before the beginning are passed over"));
    }
    assert!(matches!(encoder.append(&Change { seq: 99, ..changes[0].clone() }), Err(FileError::OutOfRange { .. })));
    bytes.extend(encoder.finish(Ending::BytesReached).expect("it has a JSON form"));
    let recorded = Recorded::open(bytes).expect("a whole file");
    assert_eq!((recorded.first(), recorded.last()), (10, changes.len() as u64));
    assert_eq!(recorded.ending(), Ending::BytesReached);
    assert_eq!(recorded.moment_at(17).expect("it is in the file"), moments[17]);
    assert!(matches!(recorded.moment_at(9), Err(FileError::OutOfRange { first: 10, .. })));
}

#[test]
fn a_file_of_a_later_format_is_refused_by_its_number() {
    let mut bytes = file_of(&[]).0;
    bytes[7] = b'2';
    assert!(matches!(Recorded::open(bytes), Err(FileError::Newer { found: 2 })));
}

#[test]
fn a_seek_reads_a_part_of_the_file_only() {
    struct Counted(Vec<u8>, std::cell::Cell<u64>);
    impl pgstrata_timeline::file::Source for Counted {
        fn length(&self) -> std::io::Result<u64> {
            self.0.length()
        }

        fn read_at(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
            self.1.set(self.1.get() + bytes.len() as u64);
            self.0.read_at(offset, bytes)
        }
    }
    let picture = |step: u64| (0..6).map(|xid| (700 + xid, u8::from(step >> xid & 1 == 1))).collect::<Picture>();
    let pictures: Vec<Picture> = (0..5_000).map(picture).collect();
    let (_, moments, changes) = log_of(&pictures, LogLimits::default());
    let bytes = file_of(&changes).0;
    let length = bytes.len() as u64;
    let recorded = Recorded::open(Counted(bytes, std::cell::Cell::new(0))).expect("a whole file");
    for seq in [1, 2_500, recorded.last()] {
        let before = recorded.source().1.get();
        let moment = recorded.moment_at(seq).expect("it is in the file");
        assert_eq!(moment, moments[usize::try_from(seq).expect("small")]);
        let read = recorded.source().1.get() - before;
        assert!(read * 20 < length, "{read} of {length} bytes were read for moment {seq}");
    }
}

#[test]
fn an_item_says_its_own_key() {
    let put = &items(&Picture::from([(755, 1)]))[0];
    assert_eq!(put.key, Key("transaction/755".to_owned()));
}

#[test]
fn every_cause_survives_its_json() {
    let (console, text) = ("a".to_owned(), "select 1".to_owned());
    let causes = [
        Cause::Begin,
        Cause::Sample,
        Cause::Record { lsn: Lsn(7), name: "Heap/INSERT".to_owned(), xid: 750 },
        Cause::Statement { console: console.clone(), pid: 7, sql: text.clone() },
        Cause::Answer { console, pid: 7, text, sqlstate: Some("40P01".to_owned()) },
        Cause::Connection { is_up: false, reason: "gone".to_owned() },
    ];
    for cause in causes {
        let at = At { unix_us: 5, lsn: Some(Lsn(9)) };
        let change = Change { seq: 1, at, cause, put: Vec::new(), drop: Vec::new() };
        let json = serde_json::to_string(&change).expect("it has a JSON form");
        assert_eq!(serde_json::from_str::<Change>(&json).expect("it reads back"), change, "{json}");
    }
}
