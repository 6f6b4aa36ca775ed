//! The example programs of the decision assistant, read whole: what every statement does, pinned.

use std::fmt::Write as _;

use pgstrata_sqltext::{Node, Program, Schema, Workload, read_sources};

fn described(workload: &Workload) -> String {
    let mut text = String::new();
    for program in &workload.programs {
        describe(program, &mut text);
    }
    for said in &workload.unanalysed {
        let _ = writeln!(text, "not analysed: {} {}", said.span, said.why);
    }
    text
}

fn describe(program: &Program, text: &mut String) {
    let parameters: Vec<String> = program
        .parameters
        .iter()
        .map(|parameter| {
            let type_name = parameter.type_name.as_deref().unwrap_or("?");
            let example = parameter.example.as_deref().map(|example| format!(" = {example}")).unwrap_or_default();
            format!("{} {type_name}{example}", parameter.name)
        })
        .collect();
    let _ = writeln!(text, "\n{}({}) {:?} {:?}", program.name, parameters.join(", "), program.scope, program.frequency);
    nodes(program, &program.body, 1, text);
}

fn nodes(program: &Program, body: &[Node], depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for node in body {
        match node {
            Node::Choice(branches) => {
                for (index, branch) in branches.iter().enumerate() {
                    let _ = writeln!(text, "{indent}{}", if index == 0 { "either" } else { "or" });
                    nodes(program, branch, depth + 1, text);
                }
            }
            Node::Repeat(inside) => {
                let _ = writeln!(text, "{indent}repeat");
                nodes(program, inside, depth + 1, text);
            }
            Node::Statement(index) => {
                let statement = &program.statements[*index];
                let first = statement.prepared.split_whitespace().collect::<Vec<_>>().join(" ");
                let _ = writeln!(text, "{indent}#{index} {first} {:?}", statement.arguments);
                for access in &statement.accesses {
                    let _ = writeln!(text, "{indent}   {access}");
                }
                for result in &statement.results {
                    let _ = writeln!(text, "{indent}   {} -> :{}", result.column, result.variable);
                }
                for said in &statement.unanalysed {
                    let _ = writeln!(text, "{indent}   not analysed: {} {}", said.span, said.why);
                }
            }
        }
    }
}

macro_rules! examples {
    ($($test:ident: $file:literal,)*) => {$(
        #[test]
        fn $test() {
            let text = include_str!(concat!("../../../tools/src/advisor/examples/", $file, ".sql"));
            let workload = read_sources(&[($file, text)], &Schema::default()).expect("the example is SQL");
            insta::assert_snapshot!($file, described(&workload));
        }
    )*};
}

examples! {
    smallbank_does_what_its_paper_says: "smallbank",
    tpcc_does_what_its_specification_says: "tpcc",
    doctors_on_call_read_a_predicate_and_write_one_row: "doctors-on-call",
    the_flash_sale_locks_the_item_that_a_purchase_refers_to: "flash-sale",
    a_transfer_in_plpgsql_has_branches_and_results: "bank-transfer",
    a_job_queue_skips_rows_that_others_have_locked: "job-queue",
    a_booking_in_pieces_is_several_transactions: "booking",
}
