//! The language reads what it writes, and says of a mistake where it is.

use super::{Action, Cell, Clause, HoldAt, Item, Permutations, Scenario, What};
use crate::builtin;
use pgstrata_history::{Anomaly, Scope};
use pgstrata_pg::PgVersion;
use pgstrata_units::Isolation;

const ALL_THERE_IS: &str = r#"# before the first
scenario "all-there-is"
about "says ""everything"" once"
levels read committed, serializable

setup {
  create table t (id int primary key, data jsonb);

  insert into t values (1, '{"a": {"b": 1}}');
}
teardown {
  drop table t;
}

# a comment
T1: begin read only
T1: select data -> 'a' ->> 'b', null, 'it''s'
    from t
  -> (1, null, 'it''s')
T2: update t set data = null
  -> blocks at serializable
  -> 1 row at read committed
T2: resumes
  -> error 40001
T1: select count(*) from t  hold at PredicateLockRelation after 2 calls
T1: release
  -> (1)
T1: commit
  -> ok

expect read committed: all commit
expect serializable: one of T1, T2 fails 40001; anomaly none
expect serializable: T1, T2 fail 40P01; anomaly G-single
invariant "nothing is lost" {
  select 1 where false
}
permutations 20 seed 7
fixed in 14.25, 15.20 "a release note"
"#;

fn parsed(text: &str) -> Scenario {
    Scenario::parse_file(text).expect("a scenario").remove(0)
}

#[test]
fn everything_that_can_be_said_is_read_and_written_as_it_was() {
    let scenario = parsed(ALL_THERE_IS);
    // What stands before the first scenario is written behind its name.
    let moved = ALL_THERE_IS.replacen(
        "# before the first\nscenario \"all-there-is\"\n",
        "scenario \"all-there-is\"\n# before the first\n",
        1,
    );
    assert_eq!(scenario.to_string(), moved);
    assert_eq!(parsed(&moved).to_string(), moved);
    assert_eq!(scenario.sessions(), ["T1", "T2"]);
    assert_eq!(scenario.levels(), [Isolation::ReadCommitted, Isolation::Serializable]);
    assert_eq!(scenario.about(), "says \"everything\" once");
    assert_eq!(scenario.permutations(), Permutations::Sampled { count: 20, seed: 7 });
    let steps: Vec<_> = scenario.steps().collect();
    assert_eq!(steps[0].action, Action::Begin("read only".to_owned()));
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(steps[1].outcomes[0].what, What::Rows(vec![vec![text("1"), Cell::Null, text("it's")]]));
    assert_eq!(steps[2].outcomes_at(Isolation::Serializable).collect::<Vec<_>>(), [&What::Blocks]);
    let hold = Some(HoldAt { function: "PredicateLockRelation".to_owned(), skip: 2 });
    assert_eq!(steps[4].action, Action::Sql { text: "select count(*) from t".to_owned(), hold });
    let clauses: Vec<_> = scenario.clauses(Isolation::Serializable).collect();
    assert_eq!(clauses.len(), 4);
    assert_eq!(clauses[3], &Clause::Anomaly(Some(Anomaly::GSingle(Scope::Plain))));
}

#[test]
fn a_release_is_affected_until_the_repair_of_its_major_version() {
    let scenario = parsed(ALL_THERE_IS);
    let affected = |major, minor| scenario.is_affected(PgVersion { major, minor });
    assert_eq!((affected(15, 19), affected(15, 20), affected(14, 24)), (Some(true), Some(false), Some(true)));
    assert_eq!(affected(18, 0), None);
}

#[test]
fn the_programs_own_scenarios_are_in_the_layout_of_the_language() {
    for builtin in builtin::ALL {
        let scenario = parsed(builtin.text);
        assert_eq!(scenario.to_string(), builtin.text, "{}", builtin.name);
        assert_eq!(scenario.name, builtin.name);
        assert!(!scenario.about().is_empty(), "{}", builtin.name);
    }
}

#[test]
fn several_scenarios_can_stand_in_one_file() {
    let text = "scenario \"a\"\nT1: select 1\n\nscenario \"b\"\nT1: select 2\n";
    let names: Vec<String> =
        Scenario::parse_file(text).expect("two").into_iter().map(|scenario| scenario.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_block_can_be_one_line() {
    let scenario = parsed("scenario \"a\"\nsetup { create table t (id int); }\nT1: select 1\n");
    assert_eq!(scenario.setups().collect::<Vec<_>>(), ["create table t (id int);"]);
    assert!(matches!(scenario.items[0], Item::Setup(_)));
}

fn mistake(line: &str) -> (usize, usize, String) {
    let text = format!("scenario \"a\"\nT1: select 1\n{line}\n");
    let error = Scenario::parse_file(&text).expect_err(line);
    assert!(!error.hint().is_empty());
    (error.line, error.column, error.kind.to_string())
}

#[test]
fn a_mistake_is_shown_at_its_place_and_with_what_could_stand_there() {
    let check = [
        ("nonsense", 1, "expected a word of the language, or a session and a colon, found `nonsense`"),
        ("expect snapshot: all commit", 8, "\"snapshot\" is no isolation level"),
        ("expect serializable all commit", 21, "expected a colon after the levels, found `all commit`"),
        ("expect serializable: anomaly G9", 30, "\"G9\" is no anomaly that is known here"),
        ("expect serializable: T1 fails 4001", 31, "\"4001\" is no SQLSTATE"),
        ("expect serializable: T7 fails 40001", 1, "no step is of session T7"),
        ("T1: select 2 -> (1, 2", 22, "expected a comma or a closing bracket, found the end of the line"),
        ("T1: select 2 -> error 400", 23, "\"400\" is no SQLSTATE"),
        ("T1: release", 1, "session T1 is not held here"),
        ("T1: resumes", 1, "session T1 is not blocked here"),
        (
            "T1: select 2 hold at f after two calls",
            5,
            "expected hold at <function>, or hold at <function> after <n> calls, found `select 2 hold at f after two c…`",
        ),
        ("about \"no end", 7, "a text has no end"),
        ("setup {", 7, "a block has no end"),
        ("permutations some", 14, "expected written, all, or <count> seed <number>, found `some`"),
        ("fixed in 15", 12, "expected a release like 15.20, found the end of the line"),
        ("scenario \"Upper Case\"", 10, "\"Upper Case\" cannot be the name of a scenario"),
    ];
    for (line, column, message) in check {
        let (found_line, found_column, found) = mistake(line);
        assert_eq!((found.as_str(), found_column), (message, column), "{line}");
        // A mistake that only the whole scenario shows is shown where the scenario or the step begins.
        assert!(found_line == 3 || found.starts_with("no step"), "{line}: line {found_line}");
    }
    assert!(Scenario::parse_file("").is_err());
    assert!(Scenario::parse_file("T1: select 1\n").is_err());
    assert!(Scenario::parse_file("scenario \"a\"\n").is_err(), "no steps");
}

proptest::proptest! {
    #[test]
    fn any_text_in_a_row_is_read_as_it_was_written(texts in proptest::collection::vec("[^\\p{C}]{0,12}", 1..4)) {
        let row: Vec<Cell> = texts.into_iter().map(Cell::Text).collect();
        let text = format!("scenario \"a\"\nT1: select 1\n  -> {}\n", What::Rows(vec![row.clone(), row.clone()]));
        let scenario = parsed(&text);
        let step = scenario.steps().next().expect("a step");
        proptest::prop_assert_eq!(&step.outcomes[0].what, &What::Rows(vec![row.clone(), row]));
        proptest::prop_assert_eq!(scenario.to_string(), text);
    }
}
