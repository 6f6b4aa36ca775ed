//! The levels of the arms are what the analysis of the statements that run says: sound arms are safe by it, broken ones are
//! not, and the optimal allocation is the arm of that name.
//!
//! The programs are written down here as the sequence of their statements. A loop over the lines of an order is written
//! out for two lines; an amount that a client computes is a parameter, which allows more than the client does.

use std::fmt::Write as _;

use pgstrata_lab::study::ArmKind;
use pgstrata_sqltext::{Schema, Workload, read_sources};
use pgstrata_units::Isolation;

use crate::advisor::value::allocation::{Allocation, Form};
use crate::advisor::{self, Options, Report, Verdict};

/// A statement's text with its parameters by these names, in the order of their numbers.
type Called = (&'static str, &'static [&'static str]);

/// A program: its name, and its statements in each form.
struct Written {
    name: &'static str,
    plain: &'static [Called],
    updating: &'static [Called],
    locking: &'static [Called],
}

/// What marks the statements whose result a later one takes.
const GIVES: [&str; 2] = ["select no_o_id", "returning o_c_id"];

/// The text of a program as files of programs have it.
fn source(name: &str, statements: &[Called]) -> String {
    let mut text = format!("-- pgstrata: program {name}\nbegin;\n");
    for (statement, names) in statements {
        let mut statement = (*statement).to_owned();
        for (number, name) in (1..).zip(*names) {
            statement = statement.replace(&format!("${number}"), &format!(":{name}"));
        }
        // What a statement gives and a later one takes is called by its column, as psql's gset does.
        let gives = GIVES.iter().any(|column| statement.contains(column));
        let statement = statement.trim_end().trim_end_matches(';');
        let _ = writeln!(text, "{statement}{}", if gives { " \\gset" } else { ";" });
    }
    text + "commit;\n"
}

/// What an arm runs, and at which levels.
fn workload(schema: &str, programs: &[Written], allocation: &Allocation<5>) -> (Schema, Workload, advisor::Allocation) {
    let mut text = String::new();
    let mut levels = advisor::Allocation::default();
    for (program, (level, form)) in programs.iter().zip(allocation.levels.into_iter().zip(allocation.forms)) {
        let statements = match form {
            Form::Plain => program.plain,
            Form::Updating => program.updating,
            Form::Locking => program.locking,
        };
        assert!(!statements.is_empty(), "{} has no form {form:?}", program.name);
        text += &source(program.name, statements);
        levels.0.insert(program.name.to_owned(), level);
    }
    let schema = Schema::from_ddl(schema).expect("the schema is SQL");
    let workload = read_sources(&[("study", &text)], &schema).expect("the programs are SQL");
    assert!(workload.unanalysed.is_empty(), "{:?}", workload.unanalysed);
    (schema, workload, levels)
}

fn report(schema: &str, programs: &[Written], allocation: &Allocation<5>) -> Report {
    let (schema, workload, levels) = workload(schema, programs, allocation);
    advisor::analyse(&workload, &schema, &Options { allocation: Some(levels), may_promote: false })
}

fn levels(report: &Report, programs: &[Written]) -> Vec<Isolation> {
    programs.iter().map(|program| report.optimal.0[program.name]).collect()
}

macro_rules! smallbank {
    ($name:literal) => {
        include_str!(concat!("../smallbank/sql/", $name, ".sql"))
    };
}

macro_rules! tpcc {
    ($name:literal) => {
        include_str!(concat!("../tpcc/sql/", $name, ".sql"))
    };
}

const FIND: Called = (smallbank!("find_account"), &["name"]);

const SMALLBANK: [Written; 5] = [
    Written {
        name: "balance",
        plain: &[FIND, (smallbank!("read_savings"), &["c"]), (smallbank!("read_checking"), &["c"])],
        updating: &[],
        locking: &[FIND, (smallbank!("share_savings"), &["c"]), (smallbank!("share_checking"), &["c"])],
    },
    Written {
        name: "deposit_checking",
        plain: &[FIND, (smallbank!("add_checking"), &["c", "amount"])],
        updating: &[],
        locking: &[],
    },
    Written {
        name: "transact_savings",
        plain: &[FIND, (smallbank!("add_savings"), &["c", "amount"])],
        updating: &[],
        locking: &[],
    },
    Written {
        name: "amalgamate",
        plain: &[
            FIND,
            (smallbank!("find_account"), &["other_name"]),
            (smallbank!("lock_savings"), &["c"]),
            (smallbank!("lock_checking"), &["c"]),
            (smallbank!("empty_savings"), &["c"]),
            (smallbank!("empty_checking"), &["c"]),
            (smallbank!("add_checking"), &["other", "amount"]),
        ],
        updating: &[],
        locking: &[],
    },
    Written {
        name: "write_check",
        plain: &[
            FIND,
            (smallbank!("read_savings"), &["c"]),
            (smallbank!("read_checking"), &["c"]),
            (smallbank!("add_checking"), &["c", "amount"]),
        ],
        updating: &[
            FIND,
            (smallbank!("promote_savings"), &["c"]),
            (smallbank!("read_checking"), &["c"]),
            (smallbank!("add_checking"), &["c", "amount"]),
        ],
        locking: &[
            FIND,
            (smallbank!("lock_savings"), &["c"]),
            (smallbank!("lock_checking"), &["c"]),
            (smallbank!("add_checking"), &["c", "amount"]),
        ],
    },
];

const TPCC: [Written; 5] = [
    Written {
        name: "new_order",
        plain: &[
            (tpcc!("new_order_warehouse"), &["w"]),
            (tpcc!("new_order_district"), &["w", "d"]),
            (tpcc!("new_order_customer"), &["w", "d", "c"]),
            (tpcc!("new_order_order"), &["w", "d", "o", "c", "lines"]),
            (tpcc!("new_order_waiting"), &["w", "d", "o"]),
            (tpcc!("new_order_item"), &["i1"]),
            (tpcc!("new_order_stock"), &["w", "i1", "q1"]),
            (tpcc!("new_order_line"), &["w", "d", "o", "n1", "i1", "q1", "a1"]),
            (tpcc!("new_order_item"), &["i2"]),
            (tpcc!("new_order_stock"), &["w", "i2", "q2"]),
            (tpcc!("new_order_line"), &["w", "d", "o", "n2", "i2", "q2", "a2"]),
        ],
        updating: &[],
        locking: &[],
    },
    Written {
        name: "payment",
        plain: &[
            (tpcc!("payment_warehouse"), &["w", "amount"]),
            (tpcc!("payment_district"), &["w", "d", "amount"]),
            (tpcc!("payment_customer"), &["w", "d", "c", "amount"]),
            (tpcc!("payment_history"), &["key", "w", "d", "c", "amount"]),
        ],
        updating: &[],
        locking: &[],
    },
    Written {
        name: "order_status",
        plain: &[
            (tpcc!("order_status_customer"), &["w", "d", "c"]),
            (tpcc!("order_status_order"), &["w", "d", "c"]),
            (tpcc!("order_status_lines"), &["w", "d", "o"]),
        ],
        updating: &[],
        locking: &[
            (tpcc!("share_district"), &["w", "d"]),
            (tpcc!("order_status_customer"), &["w", "d", "c"]),
            (tpcc!("order_status_order"), &["w", "d", "c"]),
            (tpcc!("order_status_lines"), &["w", "d", "o"]),
        ],
    },
    Written {
        name: "delivery",
        plain: &[
            (tpcc!("delivery_oldest"), &["w", "d"]),
            (tpcc!("delivery_taken"), &["w", "d", "no_o_id"]),
            (tpcc!("delivery_order"), &["w", "d", "no_o_id", "carrier"]),
            (tpcc!("delivery_lines"), &["w", "d", "no_o_id", "carrier"]),
            (tpcc!("delivery_customer"), &["w", "d", "o_c_id", "amount"]),
        ],
        updating: &[
            (tpcc!("promote_district"), &["w", "d"]),
            (tpcc!("delivery_oldest"), &["w", "d"]),
            (tpcc!("delivery_taken"), &["w", "d", "no_o_id"]),
            (tpcc!("delivery_order"), &["w", "d", "no_o_id", "carrier"]),
            (tpcc!("delivery_lines"), &["w", "d", "no_o_id", "carrier"]),
            (tpcc!("delivery_customer"), &["w", "d", "o_c_id", "amount"]),
        ],
        locking: &[
            (tpcc!("lock_district"), &["w", "d"]),
            (tpcc!("delivery_oldest"), &["w", "d"]),
            (tpcc!("delivery_taken"), &["w", "d", "no_o_id"]),
            (tpcc!("delivery_order"), &["w", "d", "no_o_id", "carrier"]),
            (tpcc!("delivery_lines"), &["w", "d", "no_o_id", "carrier"]),
            (tpcc!("delivery_customer"), &["w", "d", "o_c_id", "amount"]),
        ],
    },
    Written {
        name: "stock_level",
        plain: &[
            (tpcc!("stock_level_district"), &["w", "d"]),
            (tpcc!("stock_level_low"), &["w", "d", "from", "until", "threshold"]),
        ],
        updating: &[],
        locking: &[
            (tpcc!("share_district"), &["w", "d"]),
            (tpcc!("stock_level_district"), &["w", "d"]),
            (tpcc!("stock_level_low"), &["w", "d", "from", "until", "threshold"]),
        ],
    },
];

/// What the analysis says of each arm of a study, against what the arm says of itself.
fn check(study: &str, schema: &str, programs: &[Written]) {
    let mut wrong = Vec::new();
    for known in super::studies().iter().filter(|known| known.card().name == study) {
        for arm in known.card().arms {
            let allocation = super::allocation_of(study, arm);
            let report = report(schema, programs, &allocation);
            let is_safe = matches!(report.asked, Verdict::Safe);
            let optimal = levels(&report, programs);
            if is_safe == (arm.kind == ArmKind::Broken) {
                wrong.push(format!("{}: {:?}", arm.name, report.asked));
            }
            // What the search finds may be above the weakest, where it cannot decide; never below an arm that claims to be it.
            let is_weaker = |(found, level): (&Isolation, &Isolation)| found < level;
            if arm.kind == ArmKind::Best && optimal.iter().zip(&allocation.levels).any(is_weaker) {
                wrong.push(format!("{}: the weakest safe levels are {optimal:?}", arm.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{study}:\n{}", wrong.join("\n"));
}

#[test]
fn the_arms_of_smallbank_run_at_the_levels_that_the_analysis_of_their_statements_gives() {
    check("smallbank", smallbank!("schema"), &SMALLBANK);
}

#[test]
fn the_arms_of_a_workload_like_tpcc_run_at_the_levels_that_the_analysis_of_their_statements_gives() {
    check("tpcc", tpcc!("schema"), &TPCC);
}
