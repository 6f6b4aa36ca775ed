//! What Hermitage found out about PostgreSQL's levels is found again, on whatever server is here.

use pgstrata_scenario::builtin;
use pgstrata_scenario::matrix::{Cell, Matrix};
use pgstrata_scenario::play::Stage;
use pgstrata_units::Isolation;

use crate::{complaints, run, server};

#[tokio::test(flavor = "multi_thread")]
async fn each_case_comes_out_at_each_level_as_its_file_says() {
    let cluster = server().await;
    for builtin in builtin::find(builtin::HERMITAGE) {
        let outcome = run(&cluster, &builtin.scenario()).await;
        assert_eq!(complaints(&outcome), [] as [String; 0], "{}", builtin.name);
        assert_eq!(outcome.levels.len(), Isolation::ALL.len(), "{}", builtin.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_is_that_of_hermitage() {
    let cluster = server().await;
    let stage = Stage::new(&cluster.endpoint());
    let matrix = Matrix::measure(&stage, cluster.version(), &mut |_, _| ()).await.expect("measured");
    // Martin Kleppmann's table for PostgreSQL: what read committed, repeatable read and serializable let happen.
    let known = [
        ("G0", [false, false, false]),
        ("G1a", [false, false, false]),
        ("G1b", [false, false, false]),
        ("G1c", [false, false, false]),
        ("OTV", [false, false, false]),
        ("PMP", [true, false, false]),
        ("P4", [true, false, false]),
        ("G-single", [true, false, false]),
        ("G2-item", [true, true, false]),
        ("G2", [true, true, false]),
    ];
    let measured: Vec<(&str, [bool; 3])> =
        matrix.rows.iter().map(|row| (row.anomaly, row.cells.each_ref().map(Cell::occurs))).collect();
    assert_eq!(measured, known);
    for row in &matrix.rows {
        for cell in &row.cells {
            assert_eq!(
                cell.occurs(),
                cell.witness.is_some(),
                "{}: a witness for what occurs, and for nothing else",
                row.anomaly
            );
            assert_eq!(cell.complaints, [] as [String; 0], "{}", row.anomaly);
        }
    }
}
