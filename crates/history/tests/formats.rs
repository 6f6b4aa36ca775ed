//! Histories survive being written and read again, in every format, and what others wrote is understood.

use pgstrata_history::formats::{Expectation, Format, export, import};
use pgstrata_history::workload::bank::BankOperation;
use pgstrata_history::workload::counter::CounterOperation;
use pgstrata_history::workload::set::SetOperation;
use pgstrata_history::workload::{Kind, Recorded, Workload};
use pgstrata_history::{HistoryBuilder, Key, Operation, Read, Status, TransactionId};
use proptest::collection::vec;
use proptest::prelude::*;

fn read(text: &str) -> (Format, Workload) {
    import(text.as_bytes(), Expectation::default(), &mut |_| ()).expect("a history")
}

fn written(workload: &Workload, format: Format) -> String {
    let mut text = String::new();
    export(workload, format, &mut text).expect("a text");
    text
}

/// Who did something, when, and how it ended: four clients, each doing one thing after the other, ordered by their beginnings.
fn spans() -> impl Strategy<Value = Vec<(u32, Status, u64, u64)>> {
    let status = prop_oneof![4 => Just(Status::Committed), 1 => Just(Status::Aborted), 1 => Just(Status::Unknown)];
    vec((0_u32..4, status, 1_u64..50, 1_u64..50), 1..24).prop_map(|steps| {
        let mut clocks = [0_u64; 4];
        let mut spans: Vec<_> = steps
            .into_iter()
            .map(|(process, status, pause, length)| {
                let clock = &mut clocks[process as usize];
                let invoked_ns = *clock + pause;
                *clock = invoked_ns + length;
                (process, status, invoked_ns, if status == Status::Unknown { u64::MAX } else { *clock })
            })
            .collect();
        spans.sort_by_key(|span| span.2);
        spans
    })
}

/// Names that the syntaxes must quote, escape or leave alone.
const NAMES: [&str; 6] = ["x", "7", "-3", "two words", "a\"\\\n", "账户"];

fn list_append() -> impl Strategy<Value = Workload> {
    let operation = (any::<bool>(), 0..NAMES.len(), any::<i64>(), vec(any::<i64>(), 0..4));
    (spans(), vec(vec(operation, 1..4), 24)).prop_map(|(spans, transactions)| {
        let mut builder = HistoryBuilder::new();
        for ((process, status, invoked, completed), operations) in spans.into_iter().zip(transactions) {
            let answered = status == Status::Committed;
            let operations: Vec<Operation<'_>> = operations
                .iter()
                .map(|(is_append, name, value, list)| {
                    let key = builder.key(NAMES[*name]);
                    if *is_append {
                        Operation::Append { key, value: *value }
                    } else {
                        Operation::ReadList { key, list: answered.then_some(list.as_slice()) }
                    }
                })
                .collect();
            builder.push(process, status, (invoked, completed), &operations);
        }
        Workload::ListAppend(builder.finish())
    })
}

fn rw_register() -> impl Strategy<Value = Workload> {
    let operation = (any::<bool>(), 0..NAMES.len(), any::<i64>(), any::<bool>());
    (spans(), vec(vec(operation, 1..4), 24)).prop_map(|(spans, transactions)| {
        let mut builder = HistoryBuilder::new();
        for ((process, status, invoked, completed), operations) in spans.into_iter().zip(transactions) {
            let answered = status == Status::Committed;
            let operations: Vec<Operation<'_>> = operations
                .iter()
                .map(|(is_write, name, value, is_initial)| {
                    let key = builder.key(NAMES[*name]);
                    let seen = match (answered, is_initial) {
                        (false, _) => Read::Unknown,
                        (true, true) => Read::Initial,
                        (true, false) => Read::Value(*value),
                    };
                    if *is_write { Operation::Write { key, value: *value } } else { Operation::Read { key, seen } }
                })
                .collect();
            builder.push(process, status, (invoked, completed), &operations);
        }
        Workload::RwRegister(builder.finish())
    })
}

fn recorded<T: Clone>(
    spans: Vec<(u32, Status, u64, u64)>,
    operations: &[T],
    blind: impl Fn(T) -> T,
) -> Vec<Recorded<T>> {
    spans
        .into_iter()
        .zip(operations)
        .map(|((process, status, invoked_ns, completed_ns), operation)| {
            let operation = operation.clone();
            let operation = if status == Status::Committed { operation } else { blind(operation) };
            Recorded { process, status, invoked_ns, completed_ns, operation }
        })
        .collect()
}

fn bank() -> impl Strategy<Value = Workload> {
    let name = || (0..NAMES.len()).prop_map(|name| NAMES[name].to_owned());
    let operation = prop_oneof![
        (name(), name(), any::<i64>()).prop_map(|(from, to, amount)| BankOperation::Transfer { from, to, amount }),
        vec((name(), any::<Option<i64>>()), 0..4).prop_map(|balances| BankOperation::Read { balances: Some(balances) }),
    ];
    (spans(), vec(operation, 24)).prop_map(|(spans, operations)| {
        Workload::Bank(recorded(spans, &operations, |operation| match operation {
            BankOperation::Read { .. } => BankOperation::Read { balances: None },
            transfer @ BankOperation::Transfer { .. } => transfer,
        }))
    })
}

fn set() -> impl Strategy<Value = Workload> {
    let operation = prop_oneof![
        any::<i64>().prop_map(SetOperation::Add),
        vec(any::<i64>(), 0..4).prop_map(|elements| SetOperation::Read(Some(elements))),
    ];
    (spans(), vec(operation, 24)).prop_map(|(spans, operations)| {
        Workload::Set(recorded(spans, &operations, |operation| match operation {
            SetOperation::Read(_) => SetOperation::Read(None),
            add @ SetOperation::Add(_) => add,
        }))
    })
}

fn counter() -> impl Strategy<Value = Workload> {
    let operation = prop_oneof![
        any::<i64>().prop_map(CounterOperation::Add),
        any::<i64>().prop_map(|value| CounterOperation::Read(Some(value))),
    ];
    (spans(), vec(operation, 24)).prop_map(|(spans, operations)| {
        Workload::Counter(recorded(spans, &operations, |operation| match operation {
            CounterOperation::Read(_) => CounterOperation::Read(None),
            add @ CounterOperation::Add(_) => add,
        }))
    })
}

proptest! {
    #[test]
    fn every_history_survives_edn_and_json(
        workload in prop_oneof![list_append(), rw_register(), bank(), set(), counter()],
        format in prop_oneof![Just(Format::Edn), Just(Format::Json)],
    ) {
        let text = written(&workload, format);
        let expectation = Expectation { format: Some(format), kind: Some(workload.kind()) };
        let (_, again) = import(text.as_bytes(), expectation, &mut |_| ())
            .map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?
            ;
        prop_assert_eq!(&again, &workload, "{}", text);
        // In one vector, and with the format found out.
        if !workload.is_empty() {
            let separator = if format == Format::Json { "," } else { "\n" };
            let wrapped = format!("[{}]", text.trim_end().replace("}\n{", &format!("}}{separator}{{")));
            let expectation = Expectation { format: None, kind: Some(workload.kind()) };
            let (found, again) = import(wrapped.as_bytes(), expectation, &mut |_| ())
                .map_err(|error| TestCaseError::fail(format!("{error}\n{wrapped}")))?;
            prop_assert_eq!(found, format);
            prop_assert_eq!(again, workload);
        }
    }

    #[test]
    fn committed_registers_survive_text(
        transactions in vec((0_u32..3, vec((any::<bool>(), 0_u8..4, 0_i64..9), 1..4)), 1..9),
    ) {
        let mut builder = HistoryBuilder::new();
        for (process, operations) in &transactions {
            let operations: Vec<_> = operations.iter().map(|(is_write, key, value)| {
                let key = builder.key(&key.to_string());
                match (is_write, value) {
                    (true, value) => Operation::Write { key, value: value + 1 },
                    (false, 0) => Operation::Read { key, seen: Read::Initial },
                    (false, value) => Operation::Read { key, seen: Read::Value(*value) },
                }
            }).collect();
            builder.push(*process, Status::Committed, (0, u64::MAX), &operations);
        }
        let workload = Workload::RwRegister(builder.finish());
        let text = written(&workload, Format::Text);
        prop_assert_eq!(read(&text), (Format::Text, workload));
    }

    #[test]
    fn no_bytes_make_the_readers_panic(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..64),
            "[\\[{(:\"#_ ]{0,3}(\\{|\\}|\\[|\\]|:type|\"type\"|:|,| |:ok|\"ok\"|:value|\\[:r x nil\\]|#_|\\\\|\"|é|1|-|nil|null){0,24}".prop_map(String::into_bytes),
            "[rw]\\([0-9,()a\n -]{0,24}".prop_map(String::into_bytes),
        ],
        format in prop_oneof![Just(None), Just(Some(Format::Edn)), Just(Some(Format::Json)), Just(Some(Format::Text))],
    ) {
        let _ = import(&bytes, Expectation { format, kind: None }, &mut |_| ());
    }
}

#[test]
fn entries_of_clients_are_paired_and_a_nemesis_is_passed_over() {
    let (format, workload) = read(
        "; as Jepsen writes them\n\
         #jepsen.history.Op{:process 0, :type :invoke, :f :txn, :value [[:w x 1] [:r :y nil]], :index 0, :time 10}\n\
         {:process :nemesis, :type :info, :f :start-partition, :value :majority, :time 11}\n\
         {:process 1, :type :invoke, :f :txn, :value [[:r x nil]], :time 12}\n\
         {:process 2, :type :invoke, :f :txn, :value [[:w y 2]], :time 13}\n\
         {:process 1, :type :ok, :f :txn, :value [[:r x 1]], :time 20}\n\
         {:process 0, :type :info, :f :txn, :value :timeout, :time 30, :error [:conn-refused \"n1\"]}\n\
         {:process 2, :type :fail, :f :txn, :value [[:w y 2]], :time 31, :error #error {:cause nil}}\n\
         {:process 3, :type :invoke, :f :txn, :value [[:r x nil]], :time 32}",
    );
    assert_eq!(format, Format::Edn);
    let Workload::RwRegister(history) = workload else { panic!("registers, not {workload:?}") };
    let heads: Vec<_> =
        history.transactions().map(|head| (head.process, head.status, head.invoked_ns, head.completed_ns)).collect();
    assert_eq!(
        heads,
        [
            (0, Status::Unknown, 10, u64::MAX),
            (1, Status::Committed, 12, 20),
            (2, Status::Aborted, 13, 31),
            (3, Status::Unknown, 32, u64::MAX),
        ]
    );
    let operations: Vec<_> = history.operations(history.transaction(TransactionId(0))).collect();
    assert_eq!(
        operations,
        [Operation::Write { key: Key(0), value: 1 }, Operation::Read { key: Key(1), seen: Read::Unknown }]
    );
}

#[test]
fn completions_alone_are_concurrent_with_all_before_them() {
    let (_, workload) = read("{:type :ok, :value [[:append x 1]]} {:type :ok :value [[:r x nil] [:r y []]]}");
    let Workload::ListAppend(history) = workload else { panic!("lists, not {workload:?}") };
    let heads: Vec<_> = history.transactions().map(|head| (head.invoked_ns, head.completed_ns)).collect();
    assert_eq!(heads, [(0, 0), (0, 1)]);
    let processes: Vec<_> = history.transactions().map(|head| head.process).collect();
    assert_ne!(processes[0], processes[1], "nobody said that it was one client");
}

#[test]
fn the_kind_is_found_where_it_can_be() {
    let check = |text: &str, kind: Kind| assert_eq!(read(text).1.kind(), kind, "{text}");
    check("{:type :invoke, :f :txn, :value [[:r x nil]]} {:type :ok, :f :txn, :value [[:r x 3]]}", Kind::RwRegister);
    check("{:type :ok, :f :read, :value #{}} {:type :ok, :f :add, :value 1}", Kind::Set);
    check("{\"type\":\"ok\",\"f\":\"add\",\"value\":1}\n{\"type\":\"ok\",\"f\":\"read\",\"value\":1}", Kind::Counter);
    check("{:type :ok, :f :transfer, :value {:from 0 :to 1 :amount 2}}", Kind::Bank);
    check("{:type :ok, :f :write, :value 0} {:type :ok, :f :read, :value 0}", Kind::RwRegister);
    check("w(1,1,0,0)", Kind::RwRegister);
}

#[test]
fn what_makes_no_sense_is_named_with_line_and_column() {
    let check = |text: &str, expected: &str| {
        let error = import(text.as_bytes(), Expectation::default(), &mut |_| ()).expect_err("an error");
        assert_eq!(error.to_string(), expected);
    };
    check(
        "hello",
        "line 1, column 1: expected a history: operation maps as EDN or JSON, or lines like `w(x,1,0,0)`, found `hello`",
    );
    check(
        "{:type :ok :value [[:append x 1]]}\n{:type :okay}",
        "line 2, column 8: expected one of the types invoke, ok, fail and info, found `:okay}`",
    );
    check(
        "{:type :ok, :value [[:append x :a]]}",
        "line 1, column 32: expected a whole number to append, found `:a]]}`",
    );
    check(
        "{:type :ok, :value [[:cas x 1]]}",
        "line 1, column 22: expected one of the micro-operations append, w and r, found `:cas x 1]]}`",
    );
    check(
        "{:type :ok, :value [[:append x 1]]}\n{:type :ok, :value [[:w x 1]]}",
        "line 2, column 1: expected a transaction of append and list reads, because this is a list-append history, found `{:type :ok, :value [[:w…`",
    );
    check(
        "{:type :invoke, :process 3, :value []}\n{:type :ok, :process 4, :value []}",
        "line 2, column 1: expected an invocation of process 4 before its completion, found `{:type :ok, :process 4,…`",
    );
    check(
        "[{\"type\":\"ok\",\"value\":[[\"append\",\"x\",1]]} {}]",
        "line 1, column 43: expected `,` or `]` after an operation, found `{}]`",
    );
    check(
        "{\"type\":\"ok\",\"value\":[[\"append\",\"x\",99999999999999999999]]}",
        "line 1, column 37: expected a whole number to append, found `99999999999999999999]]}`",
    );
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let error = import(b"{:type :ok\n \xff}", Expectation::default(), &mut |_| ()).expect_err("an error");
    assert_eq!(error.to_string(), "line 2, column 2: expected text in UTF-8, found byte 0xff");
    assert!(error.hint().contains("UTF-8"));
}
