//! Functions that tables call by themselves: followed into the tables that they touch, or said to be unknown.

use pgstrata_sqltext::{Schema, read_sources};

const FUNCTION: &str = "create table other (id int primary key, v int not null);
create function total() returns bigint language sql stable as $$ select sum(v) from other $$;
create function fine(x int) returns boolean language sql immutable as $$ select x < (select sum(v) from other) $$;
";

/// What is said of a statement: whether it comes to the other table, and what was not understood of it.
fn look(tables: &str, statement: &str) -> (bool, Vec<String>) {
    let schema = Schema::from_ddl(&format!("{FUNCTION}{tables}")).expect("the tables are SQL");
    let source = format!("-- pgstrata: program P\nbegin;\n{statement};\ncommit;\n");
    let workload = read_sources(&[("computed", &source)], &schema).expect("the statement is SQL");
    let statement = &workload.programs[0].statements[0];
    let follows = statement.accesses.iter().any(|access| access.relation.name() == "other");
    let said = statement.unanalysed.iter().chain(&workload.unanalysed).map(|said| said.why.clone()).collect();
    (follows, said)
}

const INSERT: &str = "insert into t (id, v) values ($1, $2)";
const INSERT_NOTHING: &str = "insert into t (id) values ($1)";
const INSERT_DEFAULT: &str = "insert into t (id, v) values ($1, default)";
const UPDATE: &str = "update t set v = $2 where id = $1";

#[test]
fn functions_that_tables_call_are_followed() {
    let check = [
        ("create table t (id int primary key, v int check (v < total()));", INSERT),
        ("create table t (id int primary key, v int check (v < total()));", UPDATE),
        ("create table t (id int primary key, v int, constraint c check (t.v < total()));", UPDATE),
        ("create table t (id int primary key, v int); alter table t add constraint c check (fine(v));", UPDATE),
        ("create table t (id int primary key, v bigint default total());", INSERT_NOTHING),
        ("create table t (id int primary key, v bigint default total());", INSERT_DEFAULT),
        ("create table t (id int primary key, v bigint default total());", "update t set v = default where id = $1"),
        ("create table t (id int primary key, v int, g boolean generated always as (fine(v)) stored);", INSERT),
        ("create table t (id int primary key, v int, g boolean generated always as (fine(v)) stored);", UPDATE),
        ("create table t (id int primary key, v int); create index on t (fine(v));", INSERT),
        ("create table t (id int primary key, v int); create index on t (v) where fine(v);", UPDATE),
        ("create domain small as int check (fine(value)); create table t (id int primary key, v small);", UPDATE),
        ("create domain small as int check (fine(value)); create table t (id int primary key, v small);", INSERT),
        (
            "create table root (id int primary key, v int check (fine(v))); create table t () inherits (root);",
            "update t set v = $2 where v = $1",
        ),
        ("create table t (id int primary key, v int); create view w as select id, total() from t;", "select * from w"),
        (
            "create table t (id int primary key, v int);
             create function f() returns trigger language plpgsql as $$ begin perform total(); return new; end $$;
             create trigger f after insert on t for each row execute function f();",
            INSERT,
        ),
    ];
    for (tables, statement) in check {
        let (follows, said) = look(tables, statement);
        assert!(follows, "{tables}\n{statement}\n{said:?}");
        assert_eq!(said, Vec::<String>::new(), "{tables}\n{statement}");
    }
}

#[test]
fn what_tables_do_that_is_not_followed_is_said() {
    let table = "create table t (id int primary key, v int);";
    let check = [
        ("create table t (id int primary key, v int check (hidden(v)));".to_owned(), UPDATE),
        ("create table t (id int primary key, v int default hidden());".to_owned(), INSERT_NOTHING),
        (format!("{table} create index on t (hidden(v));"), UPDATE),
        (format!("{table} create rule r as on update to t do also delete from other;"), UPDATE),
        (format!("{table} create policy p on t using (v < total());"), "select v from t where id = $1"),
        (format!("{table} alter table t enable row level security;"), UPDATE),
        (format!("{table} create trigger f after insert on t for each row execute function hidden();"), INSERT),
        (format!("{table} create view w as select id, hidden(v) from t;"), "select * from w"),
        (
            "create domain small as int check (hidden(value)); create table t (id int primary key, v small);"
                .to_owned(),
            UPDATE,
        ),
        (
            "create table t (id int, v int) partition by range (id);
             create table t1 partition of t for values from (1) to (9);
             create trigger f after insert on t1 for each row execute function hidden();"
                .to_owned(),
            INSERT,
        ),
        (
            format!(
                "{table} create function two(x int) returns int language sql as $$ select 1 $$;
                 create function two(x text) returns int language sql as $$ select v from other where id = 1 $$;"
            ),
            "select two($1) from t",
        ),
    ];
    for (tables, statement) in check {
        let (_, said) = look(&tables, statement);
        assert!(!said.is_empty(), "{tables}\n{statement}");
    }
}
