//! The decision on workloads of which the answer is published or was measured on a server.

use std::collections::BTreeSet;

use pgstrata_sqltext::{AccessKind, LockStrength, Schema, Workload, read_sources};
use pgstrata_units::Isolation;

use super::templates::{analyse, safe_sets, small_bank, tpc_c, with_rows_that_exist};
use crate::advisor::report::{Options, PromotionKind, Report, Verdict};
use Isolation::{ReadCommitted, RepeatableRead, Serializable};

#[test]
fn smallbank_is_safe_at_read_committed_in_the_published_sets() {
    let report = analyse(small_bank());
    assert_eq!(safe_sets(&report, ReadCommitted), ["Am DC TS", "Bal DC", "Bal TS"]);
    assert!(report.maximal_safe[&ReadCommitted].complete);
}

#[test]
fn smallbank_is_safe_at_repeatable_read_in_the_published_sets() {
    let report = analyse(small_bank());
    assert_eq!(safe_sets(&report, RepeatableRead), ["Am Bal DC TS", "Am Bal DC WC", "Am DC TS WC"]);
}

#[test]
fn smallbank_needs_serializable_for_three_programs_only() {
    let report = analyse(small_bank());
    let levels: Vec<(&str, Isolation)> = report.optimal.0.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    let expected = [
        ("Am", ReadCommitted),
        ("Bal", Serializable),
        ("DC", ReadCommitted),
        ("TS", Serializable),
        ("WC", Serializable),
    ];
    assert_eq!(levels, expected);
    for verdicts in report.why_not_lower.values() {
        assert!(verdicts.values().all(|verdict| verdict.witness().is_some()), "{verdicts:#?}");
    }
}

#[test]
fn tpc_c_is_safe_at_read_committed_in_the_published_sets() {
    let report = analyse(tpc_c());
    assert_eq!(safe_sets(&report, ReadCommitted), ["NO Pay", "OS Pay SL"]);
}

#[test]
fn tpc_c_is_safe_at_repeatable_read_if_the_rows_exist() {
    let report = analyse(with_rows_that_exist(tpc_c()));
    assert!(report.uniform[&RepeatableRead].is_safe(), "{:#?}", report.uniform[&RepeatableRead]);
}

/// An example as its file has it: tables and programs.
fn example(text: &str) -> (Schema, Workload) {
    let schema = Schema::from_ddl(text).expect("the example's tables can be read");
    let workload = read_sources(&[("example.sql", text)], &schema).expect("the example's programs can be read");
    (schema, workload)
}

fn decide(text: &str) -> Report {
    let (schema, workload) = example(text);
    super::analyse(&workload, &schema, &Options { allocation: None, may_promote: true })
}

fn levels(report: &Report) -> Vec<(&str, Isolation)> {
    report.optimal.0.iter().map(|(name, level)| (name.as_str(), *level)).collect()
}

#[test]
fn smallbank_in_sql_has_the_published_sets_and_levels() {
    let report = decide(include_str!("../examples/smallbank.sql"));
    let short = |level| {
        let names = safe_sets(&report, level).join(", ");
        let initials = [
            ("Amalgamate", "Am"),
            ("Balance", "Bal"),
            ("DepositChecking", "DC"),
            ("TransactSavings", "TS"),
            ("WriteCheck", "WC"),
        ];
        initials.iter().fold(names, |text, (name, initial)| text.replace(name, initial))
    };
    assert_eq!(short(ReadCommitted), "Am DC TS, Bal DC, Bal TS");
    assert_eq!(short(RepeatableRead), "Am Bal DC TS, Am Bal DC WC, Am DC TS WC");
    let expected = [
        ("Amalgamate", ReadCommitted),
        ("Balance", Serializable),
        ("DepositChecking", ReadCommitted),
        ("TransactSavings", Serializable),
        ("WriteCheck", Serializable),
    ];
    assert_eq!(levels(&report), expected);
    let witness = report.uniform[&RepeatableRead].witness().expect("smallbank is not safe at repeatable read");
    let programs: Vec<&str> = witness.instances.iter().map(|instance| instance.program.as_str()).collect();
    assert_eq!(programs, ["WriteCheck", "TransactSavings", "Balance"], "Fekete, O'Neil and O'Neil, SIGMOD Record 2004");
}

#[test]
fn smallbank_is_safe_at_read_committed_with_locked_reads() {
    let report = decide(include_str!("../examples/smallbank.sql"));
    let best = report.with_promotion.first().expect("promotions help");
    assert!(best.allocation.0.values().all(|level| *level == ReadCommitted), "{best:#?}");
    assert!(best.changed.iter().all(|changed| changed.after.iter().any(|sql| sql.contains("for "))), "{best:#?}");
}

#[test]
fn tpc_c_in_sql_has_the_published_sets_at_read_committed() {
    let report = decide(include_str!("../examples/tpcc.sql"));
    let sets = safe_sets(&report, ReadCommitted);
    assert_eq!(sets, ["NewOrder Payment", "OrderStatus Payment StockLevel"]);
    assert!(!report.uniform[&RepeatableRead].is_safe(), "the queue of new orders is a predicate: not shown to be safe");
    assert_eq!(safe_sets(&report, RepeatableRead), ["NewOrder OrderStatus Payment StockLevel"]);
}

#[test]
fn a_queue_that_is_read_by_its_order_is_a_predicate_even_at_repeatable_read() {
    let report = decide(include_str!("../examples/tpcc.sql"));
    let verdict = &report.uniform[&RepeatableRead];
    let programs: Vec<&str> = match verdict {
        Verdict::Unsafe(witness) => witness.instances.iter().map(|instance| instance.program.as_str()).collect(),
        Verdict::Unknown { programs, .. } => programs.iter().map(String::as_str).collect(),
        Verdict::Safe => Vec::new(),
    };
    assert!(programs.contains(&"Delivery") && programs.contains(&"NewOrder"), "{verdict:#?}");
}

#[test]
fn doctors_on_call_need_serializable() {
    let report = decide(include_str!("../examples/doctors-on-call.sql"));
    let verdict = &report.why_not_lower["GoOffCall"][&RepeatableRead];
    assert!(matches!(verdict, Verdict::Unsafe(_)), "write skew on a predicate: {verdict:#?}");
}

#[test]
fn a_flash_sale_that_reads_first_needs_repeatable_read_or_a_lock() {
    let report = decide(include_str!("../examples/flash-sale.sql"));
    let expected = [("BuyAtOnce", ReadCommitted), ("BuyByReading", RepeatableRead), ("Look", ReadCommitted)];
    assert_eq!(levels(&report), expected);
    let best = report.with_promotion.first().expect("a lock helps");
    assert_eq!(best.promotions[0].kind, PromotionKind::ForUpdate, "shared locks would deadlock on the update");
    assert!(best.allocation.0.values().all(|level| *level == ReadCommitted));
}

#[test]
fn for_update_helps_the_writer_of_write_skew_and_not_the_reader_alone() {
    let locked = |program: usize, statement: usize| {
        let mut programs = small_bank();
        programs[program].statements[statement].accesses[0].kind = AccessKind::Lock(LockStrength::Update);
        analyse(programs).uniform[&RepeatableRead].is_safe()
    };
    assert!(locked(4, 0), "WriteCheck reads savings for update: TransactSavings waits, or is seen");
    assert!(!locked(1, 1), "Balance reads checking for update: WriteCheck's later update of it is not refused");
    let mut programs = small_bank();
    let access = &mut programs[1].statements[1].accesses[0];
    access.kind = AccessKind::Update;
    access.writes = access.reads.clone();
    assert!(analyse(programs).uniform[&RepeatableRead].is_safe(), "an identity update is refused");
}

#[test]
fn a_statement_of_its_own_that_acts_on_what_another_read_is_a_scope_anomaly() {
    let text = "create table item (id int primary key, stock int not null);
-- pgstrata: program Buy
select stock from item where id = $1;
update item set stock = stock - 1 where id = $1;
";
    let report = decide(text);
    let finding = report.scopes.first().expect("the stock may be gone by then");
    assert_eq!((finding.first, finding.second, finding.other.as_str()), (0, 1, "Buy"));
    assert_eq!(finding.level_as_one, RepeatableRead);
    assert!(report.uniform[&ReadCommitted].is_safe(), "each statement by itself is fine");
}

#[test]
fn no_witness_ends_a_row_that_another_transaction_refers_to_by_then() {
    let tables = "create table r (id int primary key, a int not null);
create table c (id int primary key, parent int not null references r);
-- pgstrata: program Refers
begin;
insert into c (id, parent) values ($2, $1);
commit;
";
    // By key, and by a condition that may be about the same row.
    for condition in ["id = $1", "a = $1"] {
        let report =
            decide(&format!("{tables}-- pgstrata: program Ends\nbegin;\ndelete from r where {condition};\ncommit;\n"));
        for (level, verdict) in &report.uniform {
            assert!(verdict.witness().is_none(), "{condition}, {level}: {verdict:#?}");
        }
    }
}

#[test]
fn a_witness_is_of_those_alone_through_whom_its_cycle_goes() {
    let report = decide(
        "create table r (id int primary key, g int not null, b int not null);
create table s (id int primary key, g int not null, a int not null);
-- pgstrata: program Sets
begin;
update r set g = :g where id = :k;
update r set b = :v where id = :k;
commit;
-- pgstrata: program Ends
begin;
delete from s where g = :g;
update r set b = :v where id = :k and g = :g;
select a from s where id = :k;
commit;
",
    );
    let witness = report.uniform[&RepeatableRead].witness().expect("what Ends looks at changes meanwhile");
    let members: BTreeSet<usize> = witness.cycle.iter().map(|link| link.from.instance).collect();
    assert_eq!(members, (0..witness.instances.len()).collect(), "{witness:#?}");
    let playing: BTreeSet<usize> = witness.schedule.iter().map(|step| step.instance).collect();
    assert_eq!(playing, members, "{witness:#?}");
}
