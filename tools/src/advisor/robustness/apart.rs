//! What predicates keep apart: rows that a comparison rules out, and rows that it only seems to.

use pgstrata_sqltext::{Schema, read_sources};
use pgstrata_units::Isolation;

use super::build::{Seen, build};
use super::model::{Action, Model, RowSet};
use super::unify::Unifier;
use crate::advisor::report::{Options, Report};

fn decide(text: &str) -> Report {
    let schema = Schema::from_ddl(text).expect("the tables can be read");
    let workload = read_sources(&[("apart.sql", text)], &schema).expect("the programs can be read");
    super::analyse(&workload, &schema, &Options::default())
}

/// Whether write skew between a query and a change of `t` is ruled out at repeatable read.
fn are_apart(query: &str, update: &str) -> bool {
    let report = decide(&format!(
        "create table t (id int primary key, v int not null, w int not null);
create table y (id int primary key, v int not null);
-- pgstrata: program P
begin;
select sum(w) from t where {query};
update y set v = v + 1 where id = 1;
commit;
-- pgstrata: program Q
begin;
select v from y where id = 1;
{update};
commit;
"
    ));
    report.uniform[&Isolation::RepeatableRead].is_safe()
}

#[test]
fn a_row_that_a_comparison_rules_out_is_not_met() {
    let check = [
        ("id > 100", 5, true),
        ("id > 100", 500, false),
        ("id <> 5", 5, true),
        ("id <> 5", 6, false),
        ("id between 10 and 20", 5, true),
        ("id between 10 and 20", 15, false),
        ("id not in (4, 5)", 5, true),
        ("id not in (4, 6)", 5, false),
        ("not id = 5", 5, true),
        ("id is distinct from 5", 5, true),
        ("id is not distinct from 5", 5, false),
        ("5 < id", 5, true),
        ("5 <= id", 5, false),
        ("id < 5 and v > 3", 5, true),
        ("id < 5 or v > 3", 5, false),
        ("not (id < 5 or v > 3)", 5, false),
        ("abs(id) > 100", 5, false),
        ("id > $1", 5, false),
        ("id > 4.5", 5, false),
        ("(id, v) > (100, 1)", 5, false),
        ("v > 100", 5, false),
        ("id > (select 100)", 5, false),
    ];
    for (query, key, expect) in check {
        let update = format!("update t set w = w + 1 where id = {key}");
        assert_eq!(are_apart(query, &update), expect, "{query}, {key}");
    }
}

#[test]
fn rows_of_two_predicates_are_apart_if_no_value_is_in_both_and_nobody_changes_it() {
    let check = [
        ("id < 10", "id >= 10", true),
        ("id <= 10", "id >= 10", false),
        ("id < 10", "id > 20", true),
        ("v < 10", "v >= 10", true),
        ("v = 5", "v > 5", true),
        ("v = 5", "v >= 5", false),
        ("v = $1", "v > 5", false),
        ("v < 10", "id >= 10", false),
    ];
    for (query, condition, expect) in check {
        let update = format!("update t set w = 1 where {condition}");
        assert_eq!(are_apart(query, &update), expect, "{query}, {condition}");
    }
    assert!(!are_apart("v < 10", "update t set v = 1, w = 1 where v >= 10"), "the row may come across");
}

#[test]
fn a_new_row_is_seen_by_the_predicates_that_its_values_satisfy() {
    let insert = |v: i32| format!("insert into t (id, v, w) values ($1, {v}, 1)");
    assert!(are_apart("v > 5", &insert(3)));
    assert!(!are_apart("v > 5", &insert(6)));
}

#[test]
fn who_inserts_a_row_depends_on_whoever_ended_the_one_of_that_key_whatever_it_was() {
    let text = "create table t (id int primary key, g int not null);
create table y (id int primary key, v int not null);
-- pgstrata: program P
begin;
update y set v = v + 1 where id = 1;
delete from t where g = 1;
commit;
-- pgstrata: program Q
begin;
select v from y where id = 1;
insert into t (id, g) values ($1, 2);
commit;
";
    let report = decide(text);
    assert!(!report.uniform[&Isolation::ReadCommitted].is_safe());
    assert!(!report.uniform[&Isolation::RepeatableRead].is_safe());
}

/// Whether the second statements of two programs can meet once the first ones have.
fn can_meet_after(first: (&str, &str), second: (&str, &str)) -> bool {
    let text = format!(
        "create table t (id int primary key, v int not null);
create table y (id int primary key, v int not null);
-- pgstrata: program P
begin; {}; {}; commit;
-- pgstrata: program Q
begin; {}; {}; commit;
",
        first.0, second.0, first.1, second.1
    );
    let schema = Schema::from_ddl(&text).expect("the tables can be read");
    let workload = read_sources(&[("apart.sql", &text)], &schema).expect("the programs can be read");
    let model: Model = build(&workload, &schema, Seen::AsTheyRun);
    let (one, two) = (&model.paths[0], &model.paths[1]);
    let mut rows = Unifier::new(&model, &[one, two]);
    let last_of = |place: usize| {
        let of = move |path: &super::model::Path| path.ops.iter().rposition(|op| op.place == place);
        (of(one).expect("it does something"), of(two).expect("it does something"))
    };
    let ((a, b), (c, d)) = (last_of(0), last_of(1));
    let is_predicate = |op: &super::model::Op, path: &super::model::Path| {
        matches!(path.vars[op.var].rows, RowSet::Some { .. }) && op.action != Action::Anything
    };
    assert!(is_predicate(&two.ops[d], two), "{text}");
    assert!(rows.meet((0, &one.ops[a]), (1, &two.ops[b])), "{text}");
    rows.meet((0, &one.ops[c]), (1, &two.ops[d]))
}

#[test]
fn a_comparison_with_an_argument_rules_out_the_row_of_that_argument() {
    let first = ("select v from y where id = $1", "update y set v = v + 1 where id = $1");
    let check = [("<>", false), ("<", false), (">", false), ("<=", true), (">=", true)];
    for (operator, expect) in check {
        let change = format!("update t set v = v + 1 where id {operator} $1");
        assert_eq!(can_meet_after(first, ("select v from t where id = $1", &change)), expect, "{operator}");
        assert!(can_meet_after(first, ("select v from t where id = $2", &change)), "{operator}");
    }
}
