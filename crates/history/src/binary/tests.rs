//! What is written reads back; what was cut, changed or invented is refused with the place of the fault.

use proptest::prelude::*;

use super::*;
use crate::model::{History, HistoryBuilder, Operation, Read, Status, Value};

#[derive(Clone, Debug)]
enum Done {
    Append(usize, Value),
    ReadList(usize, Option<Vec<Value>>),
    Write(usize, Value),
    Read(usize, Read),
}

fn any_operation() -> impl Strategy<Value = Done> {
    let read = prop_oneof![Just(Read::Unknown), Just(Read::Initial), any::<Value>().prop_map(Read::Value)];
    let list = prop::option::of(prop::collection::vec(prop_oneof![0_i64..9, any::<Value>()], 0..6));
    prop_oneof![
        (0_usize..4, any::<Value>()).prop_map(|(key, value)| Done::Append(key, value)),
        (0_usize..4, list).prop_map(|(key, list)| Done::ReadList(key, list)),
        (0_usize..4, any::<Value>()).prop_map(|(key, value)| Done::Write(key, value)),
        (0_usize..4, read).prop_map(|(key, seen)| Done::Read(key, seen)),
    ]
}

fn any_history() -> impl Strategy<Value = History> {
    let status = prop::sample::select(vec![Status::Committed, Status::Aborted, Status::Unknown]);
    let end = prop::option::of(0_u64..1_000_000);
    let transaction = (any::<u32>(), status, any::<u32>(), end, prop::collection::vec(any_operation(), 0..7));
    prop::collection::vec(transaction, 0..40).prop_map(|transactions| {
        let mut builder = HistoryBuilder::new();
        let keys = ["x", "y", "a longer name, 带中文", ""].map(|name| builder.key(name));
        let mut begun_ns = 0;
        for (process, status, later_ns, lasted_ns, operations) in &transactions {
            begun_ns += 1 + u64::from(*later_ns);
            let operations: Vec<Operation<'_>> = operations
                .iter()
                .map(|done| match done {
                    Done::Append(key, value) => Operation::Append { key: keys[*key], value: *value },
                    Done::ReadList(key, list) => Operation::ReadList { key: keys[*key], list: list.as_deref() },
                    Done::Write(key, value) => Operation::Write { key: keys[*key], value: *value },
                    Done::Read(key, seen) => Operation::Read { key: keys[*key], seen: *seen },
                })
                .collect();
            let ended_ns = lasted_ns.map_or(u64::MAX, |lasted| begun_ns + lasted);
            builder.push(*process, *status, (begun_ns, ended_ns), &operations);
        }
        builder.finish()
    })
}

proptest! {
    #[test]
    fn a_history_reads_back(history in any_history()) {
        prop_assert_eq!(read(&write(&history)), Ok(history));
    }

    #[test]
    fn a_history_that_was_cut_is_refused(history in any_history(), at: prop::sample::Index) {
        let bytes = write(&history);
        let cut = &bytes[..at.index(bytes.len())];
        // Between two blocks, nothing tells that there were more.
        if cut.len() != HEADER_BYTES {
            let error = read(cut).expect_err("something is missing");
            prop_assert!(error.offset <= cut.len());
            prop_assert_eq!(read_whole_blocks(cut), (History::default(), Some(error)));
        }
    }

    #[test]
    fn a_history_in_which_a_bit_was_changed_is_refused(history in any_history(), bit: prop::sample::Index) {
        let mut bytes = write(&history);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_payload_that_somebody_invented_gives_a_history_or_an_error(payload in prop::collection::vec(any::<u8>(), 1..200)) {
        if let Err(error) = read(&sealed(&payload)) {
            let is_in_payload = (HEADER_BYTES + BLOCK_HEADER_BYTES..HEADER_BYTES + BLOCK_HEADER_BYTES + 200).contains(&error.offset);
            prop_assert!(matches!(error.fault, ReadFault::Malformed(_)) && is_in_payload, "{}", error);
        }
    }
}

/// A file of one block whose checksum is right.
fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Recorder::new().finish();
    bytes.extend_from_slice(&u32::try_from(payload.len()).expect("small").to_le_bytes());
    bytes.extend_from_slice(&wire::checksum(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn transactions_that_ended_in_another_order_are_read_in_the_order_of_their_beginnings() {
    let mut recorder = Recorder::new();
    let key = recorder.key("x");
    let mut draft = Draft::new();
    for begun in [30, 10, 20] {
        draft.add(Operation::Append { key, value: begun });
        recorder.end(&mut draft, 0, Status::Committed, (begun.cast_unsigned(), 40));
    }
    let history = read(&recorder.finish()).expect("it was just written");
    let begun: Vec<(u32, u64)> =
        history.transactions().map(|transaction| (transaction.id.0, transaction.invoked_ns)).collect();
    assert_eq!(begun, [(0, 10), (1, 20), (2, 30)]);
}

#[test]
fn whole_blocks_of_a_file_that_was_cut_are_read() {
    let mut recorder = Recorder::new();
    let key = recorder.key("x");
    let mut draft = Draft::new();
    let mut bytes = Vec::new();
    for number in 0..3 {
        draft.add(Operation::Append { key, value: number });
        recorder.end(&mut draft, 0, Status::Committed, (number.cast_unsigned(), 9));
        recorder.seal();
        bytes.extend(recorder.take());
    }
    bytes.pop();
    let (history, error) = read_whole_blocks(&bytes);
    assert_eq!(history.len(), 2);
    assert_eq!(error.map(|error| error.fault), Some(ReadFault::Truncated));
    assert!(error.is_some_and(|error| error.offset < bytes.len()));
}

#[test]
fn other_files_and_other_versions_are_told_apart() {
    assert_eq!(read(b"{}"), Err(ReadError { offset: 0, fault: ReadFault::NotAHistory }));
    let mut bytes = Recorder::new().finish();
    assert_eq!(read(&bytes), Ok(History::default()));
    bytes[8] = 9;
    assert_eq!(read(&bytes), Err(ReadError { offset: 8, fault: ReadFault::Version(9) }));
}

#[test]
fn a_length_that_exceeds_the_file_takes_no_memory() {
    let mut payload = vec![RECORD_TRANSACTION, 0, 0, 0];
    wire::put(&mut payload, u64::MAX);
    let error = read(&sealed(&payload)).expect_err("nothing has that many operations");
    assert_eq!(error.fault, ReadFault::Malformed("a length exceeds its block"));
}
