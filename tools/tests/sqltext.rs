//! What `sqltext` says that statements do, asked of a real server: which tables it locks for them, and which rights on
//! columns it wants.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::{Session, testing};
use pgstrata_sqltext::{AccessKind, Cause, RelationName, Schema, Statement, read_sources, schema};

const SCHEMA: &str = include_str!("../../crates/sqltext/tests/statements/schema.sql");
const SEED: &str = include_str!("../../crates/sqltext/tests/statements/seed.sql");
const STATEMENTS: &str = include_str!("../../crates/sqltext/tests/statements/statements.sql");

/// Behind this line stand statements that the server would refuse.
const REFUSED: &str = "-- what is said";

/// The tables that the present transaction has locked, with the strongest of what the locks are for.
const LOCKED: &str = "
    select class.relname::text,
      bool_or(held.mode = 'RowExclusiveLock') as writes,
      bool_or(held.mode in ('RowShareLock', 'ExclusiveLock', 'AccessExclusiveLock', 'ShareRowExclusiveLock')) as locks
    from pg_locks as held
    join pg_class as class on class.oid = held.relation
    where held.pid = pg_backend_pid() and held.locktype = 'relation'
      and class.relkind in ('r', 'p') and class.relnamespace = 'public'::regnamespace
    group by class.relname";

async fn shop() -> (pgstrata_pg::Cluster, Session) {
    let server = testing::server().await.expect("a server, which needs PostgreSQL on this machine");
    let session = server.endpoint().connect().await.expect("a session");
    for text in [SCHEMA, SEED] {
        session.batch_execute(text).await.expect("the shop is made");
    }
    (server, session)
}

fn statements() -> (Schema, Vec<Statement>) {
    let schema = Schema::from_ddl(SCHEMA).expect("the schema is SQL");
    let (served, _) = STATEMENTS.split_once(REFUSED).expect("the line is there");
    let workload = read_sources(&[("statements", served)], &schema).expect("the statements are SQL");
    let statements = workload.programs.into_iter().flat_map(|program| program.statements).collect();
    (schema, statements)
}

/// The name under which the analysis knows a table: partitions and heirs by their parent's.
fn root(schema: &Schema, table: &str) -> String {
    let relation = &schema.relations[&RelationName::new(table)];
    relation.parents.first().map_or_else(|| table.to_owned(), |parent| root(schema, parent.name()))
}

#[tokio::test]
async fn every_table_that_the_server_locks_for_a_statement_is_among_its_accesses() {
    let (_server, session) = shop().await;
    let (schema, statements) = statements();
    assert!(statements.len() > 80, "the statements are there");
    for statement in statements.iter().filter(|statement| !statement.text.starts_with("copy")) {
        session.batch_execute("begin").await.expect("a transaction begins");
        session.batch_execute(&statement.text).await.unwrap_or_else(|error| panic!("{}: {error:?}", statement.text));
        let rows = session.query(LOCKED, &[]).await.expect("the locks are there");
        for row in rows {
            let (table, writes, locks): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
            let table = root(&schema, &table);
            let kinds: Vec<AccessKind> = statement
                .accesses
                .iter()
                .filter(|access| access.relation.name() == table)
                .map(|access| access.kind)
                .collect();
            assert!(!kinds.is_empty(), "{}: {table} is locked and no access", statement.text);
            assert!(!writes || kinds.iter().any(|kind| kind.is_write()), "{}: {table} is written", statement.text);
            let is_lock =
                |kind: &AccessKind| matches!(kind, AccessKind::Lock(_) | AccessKind::LockTable(_)) || kind.is_write();
            assert!(!locks || kinds.iter().any(is_lock), "{}: rows of {table} are locked", statement.text);
        }
        session.batch_execute("rollback").await.expect("it is rolled back");
    }
}

/// What a role must be granted for the accesses that a statement says.
fn grants(schema: &Schema, statement: &Statement) -> BTreeSet<String> {
    let mut grants = BTreeSet::new();
    let own = |cause: &Cause| matches!(cause, Cause::Statement | Cause::OnConflict);
    for access in statement.accesses.iter().filter(|access| own(&access.cause)) {
        let Some(relation) = schema.relations.get(&access.relation) else { continue };
        let all: BTreeSet<String> = relation.columns.iter().map(|column| column.name.clone()).collect();
        let mut grant = |right: &str, columns: &BTreeSet<String>| {
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
            grants.insert(format!("grant {right}{columns} on {} to reader", access.relation));
        };
        // Whoever reads no column needs the right to some.
        let some = BTreeSet::from([relation.columns[0].name.clone()]);
        if access.reads == all {
            grant("select", &BTreeSet::new());
        } else if !access.reads.is_empty() {
            grant("select", &access.reads);
        } else if access.kind == AccessKind::Read {
            grant("select", &some);
        }
        match access.kind {
            AccessKind::Update => grant("update", &access.writes),
            AccessKind::Lock(_) => grant("update", &some),
            AccessKind::Insert => grant("insert", &BTreeSet::new()),
            AccessKind::Delete => grant("delete", &BTreeSet::new()),
            _ => {}
        }
    }
    grants
}

#[tokio::test]
async fn the_server_lets_a_role_run_a_statement_that_may_touch_only_the_columns_of_its_accesses() {
    let (_server, session) = shop().await;
    let (schema, statements) = statements();
    session.batch_execute("create role reader").await.expect("a role is made");
    let words = ["select", "insert", "update", "delete", "with", "merge", "table"];
    let mut asked = 0;
    for statement in statements {
        // Functions run with rights of their own when they run; `explain` does not run them. Partitions and heirs have
        // the columns of their own names.
        let first = statement.text.split_whitespace().next().unwrap_or_default();
        let own_names = ["events_2025", "derived", "open_orders", "nextval"];
        if !words.contains(&first) || own_names.iter().any(|name| statement.text.contains(name)) {
            continue;
        }
        let grants: Vec<String> = grants(&schema, &statement).into_iter().collect();
        let script = format!("begin; {}; set local role reader; explain {}", grants.join("; "), statement.text);
        let script = script.replace("begin; ;", "begin;");
        if let Err(error) = session.batch_execute(&script).await {
            panic!("{}: {error:?}\n{}", statement.text, grants.join("\n"));
        }
        session.batch_execute("rollback").await.expect("it is rolled back");
        asked += 1;
    }
    assert!(asked > 60, "{asked} statements were asked about");
}

#[tokio::test]
async fn the_schema_of_a_live_server_is_the_schema_of_its_ddl() {
    let (_server, session) = shop().await;
    let rows = session.query(schema::CATALOGUE_QUERY, &[]).await.expect("the catalogue is read");
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let live = Schema::from_catalogue(&rows).expect("the catalogue is DDL");
    let written = Schema::from_ddl(SCHEMA).expect("the schema is SQL");
    assert_eq!(live.unanalysed, []);
    let tables = |schema: &Schema| -> BTreeMap<String, String> {
        let named = schema.relations.iter().filter(|(_, relation)| relation.kind != schema::RelationKind::Sequence);
        named.map(|(name, relation)| (name.to_string(), outline(relation))).collect()
    };
    assert_eq!(tables(&live), tables(&written));
    assert_eq!(live.functions.len(), written.functions.len());
}

/// Tables that call a function whenever a row of them is written, each in another way, and one that does not.
const COMPUTED: &str = "
create table other (id int primary key, v int not null);
create function total() returns bigint language sql stable as $$ select sum(v) from other $$;
create function fine(x int) returns boolean language sql immutable as $$ select x < (select sum(v) from other) $$;
create schema deep;
create domain small as int check (fine(value));
create domain deep.small as int check (value > 0);
create table of_domain (id int primary key, v small);
create table of_other_domain (id int primary key, v deep.small);
create table of_check (id int primary key, v int check (v < total()));
create table of_expression (id int primary key, v int);
create index on of_expression (fine(v));
create table of_predicate (id int primary key, v int);
create index on of_predicate (v) where fine(v);
create table of_unique_expression (id int primary key, v int);
create unique index on of_unique_expression (id, (fine(v)));
create table plain (id int primary key, v int check (v > 0));
";

#[tokio::test]
async fn checks_domains_and_computed_indexes_of_a_live_server_are_followed_as_those_of_ddl() {
    let server = testing::server().await.expect("a server, which needs PostgreSQL on this machine");
    let session = server.endpoint().connect().await.expect("a session");
    session.batch_execute(COMPUTED).await.expect("the tables are made");
    let rows = session.query(schema::CATALOGUE_QUERY, &[]).await.expect("the catalogue is read");
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let live = Schema::from_catalogue(&rows).expect("the catalogue is DDL");
    let written = Schema::from_ddl(COMPUTED).expect("the tables are SQL");
    let tables = [
        ("of_domain", true),
        ("of_other_domain", false),
        ("of_check", true),
        ("of_expression", true),
        ("of_predicate", true),
        ("of_unique_expression", true),
        ("plain", false),
    ];
    for (table, follows) in tables {
        let touched = |schema: &Schema| -> BTreeSet<String> {
            let text = format!("insert into {table} (id, v) values ($1, $2)");
            let workload = read_sources(&[("computed", &text)], schema).expect("the statement is SQL");
            let statement = &workload.programs[0].statements[0];
            assert_eq!(statement.unanalysed, [], "{table}");
            statement.accesses.iter().map(|access| format!("{} {}", access.kind, access.relation)).collect()
        };
        assert_eq!(touched(&live), touched(&written), "{table}\n{}", rows.join(";\n"));
        assert_eq!(touched(&live).contains("read other"), follows, "{table}: {:?}", touched(&live));
    }
}

/// What of a relation does not depend on how its types and expressions are spelled.
fn outline(relation: &schema::Relation) -> String {
    let columns: Vec<(&str, bool)> =
        relation.columns.iter().map(|column| (column.name.as_str(), column.generated.is_some())).collect();
    let mut keys: Vec<(&[String], bool, bool)> =
        relation.keys.iter().map(|key| (key.columns.as_slice(), key.primary, key.predicate.is_some())).collect();
    keys.sort();
    let mut foreign_keys: Vec<_> = relation.foreign_keys.iter().collect();
    foreign_keys.sort_by(|one, two| one.name.cmp(&two.name));
    format!(
        "{:?} {columns:?} {keys:?} {foreign_keys:?} {:?} {:?} {}",
        relation.kind, relation.triggers, relation.parents, relation.has_policies
    )
}
