//! Workloads of tests, written as templates: what each statement of a program reads, writes and locks by key.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_sqltext::{
    Access, AccessKind, Cause, Node, Origin, Position, Program, RelationName, Rows, Schema, Scope, Span, Statement,
    Term, Workload,
};
use pgstrata_units::Isolation;

use crate::advisor::report::{Options, Report};

/// One statement.
pub fn access(kind: AccessKind, relation: &str, key: &[&str], reads: &[&str], writes: &[&str]) -> Access {
    let set = |columns: &[&str]| columns.iter().map(|column| (*column).to_owned()).collect::<BTreeSet<_>>();
    let terms = key.iter().map(|name| Term::Parameter((*name).to_owned())).collect();
    Access {
        relation: RelationName::new(relation),
        kind,
        rows: Rows::one((0..key.len()).map(|number| format!("key{number}")).collect(), terms),
        reads: set(reads),
        writes: set(writes),
        values: BTreeMap::new(),
        conditions: BTreeSet::new(),
        conditional: false,
        may_miss: false,
        nested: false,
        cause: Cause::Statement,
        span: span(),
    }
}

pub fn read(relation: &str, key: &[&str], reads: &[&str]) -> Access {
    access(AccessKind::Read, relation, key, reads, &[])
}

pub fn update(relation: &str, key: &[&str], reads: &[&str], writes: &[&str]) -> Access {
    access(AccessKind::Update, relation, key, reads, writes)
}

pub fn insert(relation: &str, key: &[&str]) -> Access {
    access(AccessKind::Insert, relation, key, &[], &[])
}

pub fn delete(relation: &str, key: &[&str]) -> Access {
    access(AccessKind::Delete, relation, key, &[], &[])
}

fn span() -> Span {
    let at = Position { line: 1, column: 1 };
    Span { source: "templates".to_owned(), from: at, to: at }
}

/// A program of one transaction, one statement for each access.
pub fn program(name: &str, accesses: Vec<Access>) -> Program {
    let statement = |access: Access| Statement {
        span: span(),
        text: String::new(),
        prepared: String::new(),
        arguments: Vec::new(),
        results: Vec::new(),
        accesses: vec![access],
        unanalysed: Vec::new(),
    };
    let statements: Vec<Statement> = accesses.into_iter().map(statement).collect();
    Program {
        name: name.to_owned(),
        span: span(),
        parameters: Vec::new(),
        level: None,
        scope: Scope::OneTransaction,
        body: (0..statements.len()).map(Node::Statement).collect(),
        statements,
        pragmas: Vec::new(),
        frequency: None,
        origin: Origin::Statements,
        around: Vec::new(),
    }
}

pub fn workload(programs: Vec<Program>) -> Workload {
    Workload { programs, unanalysed: Vec::new() }
}

pub fn analyse(programs: Vec<Program>) -> Report {
    super::analyse(&workload(programs), &Schema::default(), &Options::default())
}

/// The largest safe sets of a level, each as its names in one word.
pub fn safe_sets(report: &Report, level: Isolation) -> Vec<String> {
    report.maximal_safe[&level].sets.iter().map(|set| set.join(" ")).collect()
}

/// `SmallBank` (Alomari, Cahill, Fekete & Röhm, ICDE 2008), accounts' names left out, as nobody writes them.
pub fn small_bank() -> Vec<Program> {
    let balance: &[&str] = &["balance"];
    vec![
        program(
            "Am",
            vec![
                update("savings", &["x"], balance, balance),
                update("checking", &["x"], balance, balance),
                update("checking", &["y"], balance, balance),
            ],
        ),
        program("Bal", vec![read("savings", &["x"], balance), read("checking", &["x"], balance)]),
        program("DC", vec![update("checking", &["x"], balance, balance)]),
        program("TS", vec![update("savings", &["x"], balance, balance)]),
        program(
            "WC",
            vec![
                read("savings", &["x"], balance),
                read("checking", &["x"], balance),
                update("checking", &["x"], balance, balance),
            ],
        ),
    ]
}

/// TPC-C, accesses by key alone, as in the papers.
pub fn tpc_c() -> Vec<Program> {
    let (wd, wdc, wdo) = (&["w", "d"], &["w", "d", "c"], &["w", "d", "o"]);
    let item = |i: &'static str, line: &'static str| {
        vec![
            read("item", &[i], &["price", "name", "data"]),
            update(
                "stock",
                &["w", i],
                &["quantity", "dist", "data", "ytd", "order_cnt", "remote_cnt"],
                &["quantity", "ytd", "order_cnt", "remote_cnt"],
            ),
            insert("order_line", &["w", "d", "o", line]),
        ]
    };
    let mut new_order = vec![
        read("warehouse", &["w"], &["tax"]),
        update("district", wd, &["tax", "next_o_id"], &["next_o_id"]),
        read("customer", wdc, &["discount", "last", "credit"]),
        insert("orders", wdo),
        insert("new_order", wdo),
    ];
    new_order.extend(item("i", "l1"));
    new_order.extend(item("j", "l2"));
    vec![
        program(
            "DLV",
            vec![
                delete("new_order", wdo),
                update("orders", wdo, &["c_id"], &["carrier_id"]),
                update("order_line", &["w", "d", "o", "l"], &["amount"], &["delivery_d"]),
                update("customer", wdc, &["balance", "delivery_cnt"], &["balance", "delivery_cnt"]),
            ],
        ),
        program("NO", new_order),
        program(
            "OS",
            vec![
                read("customer", wdc, &["first", "middle", "last", "balance"]),
                read("orders", wdo, &["c_id", "entry_d", "carrier_id"]),
                read("order_line", &["w", "d", "o", "l"], &["i_id", "supply_w_id", "quantity", "amount", "delivery_d"]),
            ],
        ),
        program(
            "Pay",
            vec![
                update("warehouse", &["w"], &["name", "street", "ytd"], &["ytd"]),
                update("district", wd, &["name", "street", "ytd"], &["ytd"]),
                update(
                    "customer",
                    wdc,
                    &["first", "last", "credit", "discount", "data", "balance", "ytd_payment", "payment_cnt"],
                    &["data", "balance", "ytd_payment", "payment_cnt"],
                ),
                insert("history", &["h"]),
            ],
        ),
        program(
            "SL",
            vec![
                read("district", wd, &["next_o_id"]),
                read("order_line", &["w", "d", "o", "l"], &["i_id"]),
                read("stock", &["w", "i"], &["quantity"]),
            ],
        ),
    ]
}

/// The same programs as the theory sees them: every row that is named exists, inserts and deletes write all its columns.
pub fn with_rows_that_exist(mut programs: Vec<Program>) -> Vec<Program> {
    let all = || programs.iter().flat_map(|program| &program.statements).flat_map(|statement| &statement.accesses);
    let mut columns: BTreeMap<RelationName, BTreeSet<String>> = BTreeMap::new();
    for access in all() {
        let known = columns.entry(access.relation.clone()).or_default();
        known.extend(access.reads.iter().chain(&access.writes).cloned());
    }
    let accesses =
        programs.iter_mut().flat_map(|program| &mut program.statements).flat_map(|statement| &mut statement.accesses);
    for access in accesses {
        if matches!(access.kind, AccessKind::Insert | AccessKind::Delete) {
            access.kind = AccessKind::Update;
            access.writes = columns[&access.relation].clone();
            access.writes.insert("row".to_owned());
        }
    }
    programs
}
