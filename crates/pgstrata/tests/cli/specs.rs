//! PostgreSQL's specification files on the command line: exit codes, what is shown, and what PostgreSQL's tester would print.

use std::fs;

use crate::{Home, parts};

/// Two sessions that read one row each and write the other one.
const WRITE_SKEW: &str = "\
setup { create table t (id int primary key, v int); insert into t values (1, 0), (2, 0); }
teardown { drop table t; }
session a
setup { begin isolation level repeatable read; }
step ar { select v from t where id = 2; }
step aw { update t set v = 1 where id = 1; }
step ac { commit; }
session b
setup { begin isolation level repeatable read; }
step br { select v from t where id = 1; }
step bw { update t set v = 1 where id = 2; }
step bc { commit; }
permutation ar br aw bw ac bc
";

const PRINTED: &str = "\
Parsed test spec with 2 sessions

starting permutation: ar br aw bw ac bc
step ar: select v from t where id = 2;
v
-
0
(1 row)

step br: select v from t where id = 1;
v
-
0
(1 row)

step aw: update t set v = 1 where id = 1;
step bw: update t set v = 1 where id = 2;
step ac: commit;
step bc: commit;
";

#[test]
fn a_specification_is_compared_with_the_output_beside_it_and_judged() {
    let home = Home::new();
    fs::write(home.path().join("skew.spec"), WRITE_SKEW).expect("written");
    fs::write(home.path().join("skew.out"), PRINTED).expect("written");

    let (status, stdout, stderr) = parts(&home.run(&["isolation", "run", "skew.spec", "--raw"]));
    assert_eq!((status, stdout.as_str()), (Some(0), PRINTED), "{stderr}");
    let output = home.run(&["isolation", "run", "skew.spec", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["totals"]["matched"], &report["totals"]["allowed"]), (&1.into(), &1.into()), "{report}");

    let (status, stdout, _) = parts(&home.run(&["isolation", "run", "skew.spec", "--claim", "serializable"]));
    assert_eq!(status, Some(1), "{stdout}");
    assert!(stdout.contains("skew: convicted: ar br aw bw ac bc"), "{stdout}");

    fs::write(home.path().join("skew.out"), PRINTED.replace("\n0\n", "\n1\n")).expect("written");
    let (status, stdout, _) = parts(&home.run(&["isolation", "run", "skew.spec"]));
    assert_eq!(status, Some(1), "{stdout}");
    assert!(stdout.contains("skew: differs from skew.out") && stdout.contains("+0"), "{stdout}");
    assert!(home.data_directories().is_empty() && home.processes().is_empty());
}

#[test]
fn a_mistake_in_a_specification_is_wrong_usage_and_named_with_its_place() {
    let home = Home::new();
    fs::write(home.path().join("bad.spec"), "session s\nstop a { }\n").expect("written");
    let (status, _, stderr) = parts(&home.run(&["isolation", "run", "bad.spec"]));
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("bad.spec is no specification: line 2, column 1: expected `step`"), "{stderr}");
    let (status, _, stderr) = parts(&home.run(&["isolation", "run", "bad.spec", "--claim", "chaos"]));
    assert_eq!(status, Some(2), "{stderr}");
}
