//! Where a decision could easily say too much: what is not certain, what happens later than it seems, and what tables do
//! by themselves.

use pgstrata_sqltext::{Schema, read_sources};
use pgstrata_units::Isolation;

use crate::advisor::report::{Options, Report, Verdict};
use Isolation::{ReadCommitted, RepeatableRead};

fn decide(text: &str) -> Report {
    let schema = Schema::from_ddl(text).expect("the tables can be read");
    let workload = read_sources(&[("gaps.sql", text)], &schema).expect("the programs can be read");
    super::analyse(&workload, &schema, &Options::default())
}

fn is_safe(text: &str) -> (bool, bool) {
    let report = decide(text);
    (report.uniform[&ReadCommitted].is_safe(), report.uniform[&RepeatableRead].is_safe())
}

/// Two programs with write skew on `t`, and a first statement that may keep them apart.
fn skew(tables: &str, first: &str) -> String {
    format!(
        "create table guard (id int primary key, n int not null, flag boolean not null);
create table t (id int primary key, v int not null);
create table other (id int primary key, v int not null);
{tables}
-- pgstrata: program P
begin;
{first};
select v from t where id = 1;
update t set v = v + 1 where id = 2;
commit;
-- pgstrata: program Q
begin;
{first};
select v from t where id = 2;
update t set v = v + 1 where id = 1;
commit;
"
    )
}

#[test]
fn an_update_of_one_row_keeps_others_out_and_so_does_a_lock_of_it() {
    for first in [
        "update guard set n = n + 1 where id = 1",
        "update guard set n = n + 1 where (id) = (1)",
        "update guard as g set n = g.n + 1 where g.id = 1::int",
        "with done as (update guard set n = n + 1 where id = 1 returning n) select n from done",
    ] {
        assert_eq!(is_safe(&skew("", first)), (true, true), "{first}");
    }
    let (read_committed, _) = is_safe(&skew("", "select n from guard where id = 1 for update"));
    assert!(read_committed, "who waits reads afterwards");
}

#[test]
fn a_condition_without_columns_does_not_certainly_hit_its_row() {
    for condition in [
        "random() < 0.5",
        "$1",
        "$1 > 0",
        "exists (select from other where id = $1)",
        "exists (select from other where other.id = guard.id)",
        "abs($1) > 5",
        "id > 5",
        "id = $1",
        "(id, $1) = (1, 2)",
        "flag",
        "n is not null",
        "(select v from other where id = $1) > 0",
    ] {
        let update = format!("update guard set n = n + 1 where id = 1 and {condition}");
        let (read_committed, repeatable_read) = is_safe(&skew("", &update));
        assert!(!read_committed && !repeatable_read, "{update}");
        let lock = format!("select n from guard where id = 1 and {condition} for update");
        assert!(!is_safe(&skew("", &lock)).0, "{lock}");
    }
}

#[test]
fn a_row_that_others_decide_about_is_not_certainly_hit() {
    for first in [
        "update guard set n = n + 1 from other where guard.id = 1 and other.id = $1",
        "update guard set n = n + 1 from other where guard.id = 1",
        "update guard set n = n + 1 from other where guard.id = other.v and other.id = 1",
        "select n from guard join other on other.id = $1 where guard.id = 1 for update",
        "select n from guard join other on other.id = $1 where guard.id = 1 for update of guard",
        "select n from guard where id = 1 limit $1 for update",
        "select n from guard where id = 1 offset 1 for update",
        "select n from guard where id = 1 for update skip locked",
        "select * from (select n from guard where id = 1 limit 1) as g where g.n > $1 for update",
        "with g as (select n from guard where id = 1 for update) select 1",
        "select case when $1 then (select n from guard where id = 1 for update) end",
    ] {
        assert!(!is_safe(&skew("", first)).0, "{first}");
    }
}

/// A trigger of `guard` with a function's body.
fn trigger(when: &str, body: &str) -> String {
    format!(
        "create function act() returns trigger language plpgsql as $$ begin {body} end $$;
create trigger act {when} execute function act();"
    )
}

#[test]
fn a_trigger_before_a_row_may_let_its_change_fall() {
    let update = "update guard set n = n + 1 where id = 1";
    let before = "before update on guard for each row";
    let check = [
        ("new.flag := true; return new;", true),
        ("if new.n > 5 then return null; end if; return new;", false),
        ("return null;", false),
    ];
    for (body, expect) in check {
        assert_eq!(is_safe(&skew(&trigger(before, body), update)), (expect, expect), "{body}");
    }
}

#[test]
fn what_a_trigger_locks_is_certain_only_if_it_certainly_fires() {
    let body = "update other set v = v + 1 where id = 1; return null;";
    let insert = "insert into guard (id, n, flag) values ($1, 0, true)";
    let update = "update guard set n = n + 1 where id = $1";
    let check = [
        ("after insert on guard for each row", insert, true),
        ("after insert on guard", insert, true),
        ("after insert on guard for each row when (new.n > 5)", insert, false),
        ("after update on guard for each row", update, false),
        ("after update on guard", update, true),
    ];
    for (when, first, expect) in check {
        let (_, repeatable_read) = is_safe(&skew(&trigger(when, body), first));
        assert_eq!(repeatable_read, expect, "{when}");
    }
}

#[test]
fn others_can_commit_between_a_statement_and_the_reads_of_its_trigger() {
    let with = |trigger: &str| {
        format!(
            "create table a (id int primary key, v int not null);
create table b (id int primary key, v int not null);
create table seen (id int primary key, v int not null);
create table log (id int primary key, v int not null);
create function note() returns trigger language plpgsql as $$
begin
  insert into seen (id, v) select new.id, v from b where id = 1;
  return null;
end $$;
{trigger}
-- pgstrata: program Look
begin;
insert into log (id, v) select $1, v from a where id = 1;
commit;
-- pgstrata: program Change
begin;
update a set v = v + 1 where id = 1;
update b set v = v + 1 where id = 1;
commit;
"
        )
    };
    assert_eq!(is_safe(&with("")), (true, true));
    for when in ["after insert on log for each row", "before insert on log for each row", "after insert on log"] {
        let text = with(&format!("create trigger note {when} execute function note();"));
        assert_eq!(is_safe(&text), (false, true), "{when}");
    }
    let late = "create constraint trigger note after insert on log deferrable initially deferred for each row \
        execute function note();";
    let later = with(late).replace(
        "where id = 1;\ncommit;\n-- pgstrata: program Change",
        "where id = 1;\nselect 1;\ncommit;\n-- pgstrata: program Change",
    );
    assert_eq!(is_safe(&later), (false, true), "put off to the end");
}

#[test]
fn others_can_commit_between_a_statement_and_the_check_of_its_foreign_key() {
    let text = "create table a (id int primary key, v int not null);
create table parent (id int primary key);
create table child (id int primary key, parent int not null references parent, v int not null);
-- pgstrata: program Add
begin;
insert into child (id, parent, v) select $1, 1, v from a where id = 1;
commit;
-- pgstrata: program Found
begin;
update a set v = v + 1 where id = 1;
insert into parent (id) values (1);
commit;
";
    assert_eq!(is_safe(text), (false, true));
    assert!(is_safe(&text.replace(" references parent", "")).0);
}

#[test]
fn others_can_commit_between_the_statements_of_a_function_that_a_statement_calls() {
    let text = "create table a (id int primary key, v int not null);
create table b (id int primary key, v int not null);
create function peek(x int) returns int language plpgsql as $$ begin return (select v from b where id = x); end $$;
-- pgstrata: program Look
begin;
select v, peek(id) from a where id = 1;
commit;
-- pgstrata: program Change
begin;
update a set v = v + 1 where id = 1;
update b set v = v + 1 where id = 1;
commit;
";
    assert_eq!(is_safe(text), (false, true));
}

#[test]
fn a_check_on_two_columns_makes_each_of_them_depend_on_the_other() {
    let with = |check: &str| {
        format!(
            "create table account (id int primary key, checking int not null, savings int not null{check});
create table y (id int primary key, v int not null);
-- pgstrata: program P
begin;
update y set v = v + 1 where id = 1;
update account set checking = $1 where id = 1;
commit;
-- pgstrata: program Q
begin;
select v from y where id = 1;
update account set savings = $1 where id = 1;
commit;
"
        )
    };
    let meet = |check: &str| {
        let report = decide(&with(check));
        report.edges.iter().any(|edge| edge.from.program != edge.to.program && edge.relation.name() == "account")
    };
    assert!(!meet(""));
    assert!(meet(", check (checking + savings >= 0)"));
    assert!(meet(", constraint sum check (account.checking + account.savings >= 0)"));
}

#[test]
fn who_takes_a_unique_value_depends_on_who_gave_it_up() {
    let with = |unique: &str, gives_up: &str| {
        format!(
            "create table c (id int primary key, email text not null{unique});
create table y (id int primary key, v int not null);
-- pgstrata: program P
begin;
update y set v = v + 1 where id = 1;
{gives_up};
commit;
-- pgstrata: program Q
begin;
select v from y where id = 1;
insert into c (id, email) values (2, $1);
commit;
"
        )
    };
    for gives_up in ["delete from c where id = 1", "update c set email = $1 where id = 1"] {
        assert_eq!(is_safe(&with("", gives_up)), (true, true), "{gives_up}");
        assert_eq!(is_safe(&with(" unique", gives_up)), (false, false), "{gives_up}");
    }
}

/// Two programs on two tables, with a definition in the schema.
fn with_definition(definition: &str) -> Report {
    let tables = "create table a (id int primary key, v int not null);
create table b (id int primary key, v int not null);
";
    let programs = "-- pgstrata: program OfA
begin; update a set v = v + 1 where id = $1; commit;
-- pgstrata: program OfB
begin; update b set v = v + 1 where id = $1; commit;
";
    let schema = Schema::from_ddl(&format!("{tables}{definition}")).expect("the tables can be read");
    let workload = read_sources(&[("gaps.sql", programs)], &schema).expect("the programs can be read");
    super::analyse(&workload, &schema, &Options::default())
}

#[test]
fn whom_a_definition_may_concern_that_is_not_understood_is_not_safe_below_serializable() {
    let check: [(&str, &[&str]); 7] = [
        ("", &[]),
        ("do $$ begin execute 'create trigger'; end $$;", &["OfA", "OfB"]),
        ("alter domain d add check (value > 0);", &["OfA", "OfB"]),
        ("alter table a enable trigger audit;", &["OfA"]),
        ("alter table a enable trigger audit, add foreign key (v) references b;", &["OfA", "OfB"]),
        ("create index on missing (v);", &[]),
        ("alter table missing add foreign key (v) references b on delete cascade;", &["OfA", "OfB"]),
    ];
    for (definition, concerned) in check {
        let report = with_definition(definition);
        let above: Vec<&str> = report
            .optimal
            .0
            .iter()
            .filter(|(_, level)| **level > ReadCommitted)
            .map(|(name, _)| name.as_str())
            .collect();
        // Whoever it may touch has to be as careful as it is.
        assert!(concerned.iter().all(|name| above.contains(name)), "{definition}: {above:?}");
        assert_eq!(above.is_empty(), concerned.is_empty(), "{definition}: {above:?}");
        let told: Vec<&str> = report
            .programs
            .iter()
            .filter(|program| program.has_unanalysed)
            .map(|program| program.name.as_str())
            .collect();
        assert_eq!(told, concerned, "{definition}");
        assert_eq!(report.unanalysed.is_empty(), definition.is_empty(), "{definition}");
        let Verdict::Unknown { why, programs } = &report.asked else {
            assert!(report.asked.is_safe() && concerned.is_empty(), "{definition}: {:?}", report.asked);
            continue;
        };
        assert!(why.contains(&report.unanalysed[0].why), "{definition}: {why}");
        assert!(
            concerned.iter().all(|name| programs.iter().any(|program| program == name)),
            "{definition}: {programs:?}"
        );
    }
}

#[test]
fn a_transaction_whose_end_is_not_in_the_file_is_not_safe() {
    let whole = "create table a (id int primary key, v int not null);
-- pgstrata: program Half
begin; update a set v = v + 1 where id = $1; commit;
";
    assert!(decide(whole).asked.is_safe());
    let report = decide(&whole.replace(" commit;", ""));
    assert!(!report.asked.is_safe() && report.programs[0].has_unanalysed, "{:?}", report.asked);
    assert_eq!(report.unanalysed.len(), 1, "{:?}", report.unanalysed);
}

#[test]
fn looking_before_inserting_is_safe_behind_a_unique_constraint_and_not_without_one() {
    let with = |constraint: &str| {
        format!(
            "create table booking (id bigint generated always as identity primary key, slot int not null, guest text not null{constraint});
-- pgstrata: program Book
begin;
select guest from booking where slot = $1;
insert into booking (slot, guest) values ($1, $2);
commit;
"
        )
    };
    assert_eq!(is_safe(&with("")), (false, false));
    assert_eq!(is_safe(&with(", unique (slot)")), (true, true));
}
