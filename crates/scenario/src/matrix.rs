//! The table anomaly × level of a server, measured: does what each anomaly's cases set up happen, or not?

use pgstrata_history::Anomaly;
use pgstrata_pg::PgVersion;
use pgstrata_units::Isolation;
use serde::Serialize;

use crate::builtin;
use crate::judge::{Checked, Judged, PhenomenonKind, is_of_family};
use crate::language::Scenario;
use crate::play::{PlayError, Stage};
use crate::run;

/// The measured table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// The server's version.
    pub version: PgVersion,
    /// A row for each anomaly, that which breaks the weakest level first.
    pub rows: Vec<Row>,
}

/// One anomaly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name, as Hermitage has it.
    pub anomaly: &'static str,
    /// The cases that would show it.
    pub cases: &'static [&'static str],
    /// One for each of [`Isolation::ALL`].
    pub cells: [Cell; 3],
}

/// One anomaly at one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The level.
    pub level: Isolation,
    /// What shows that it happens: the first case that did.
    pub witness: Option<Witness>,
    /// Where a case came out otherwise than its file says.
    pub complaints: Vec<String>,
}

impl Cell {
    /// Whether it happens.
    #[must_use]
    pub fn occurs(&self) -> bool {
        self.witness.is_some()
    }
}

/// What shows that an anomaly happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The case.
    pub scenario: String,
    /// What the checker called it.
    pub found: String,
    /// The cycle in sentences, in English.
    pub because: Vec<String>,
    /// The same in Chinese.
    pub because_zh: Vec<String>,
}

/// What is looked for in the plays of some cases.
#[derive(Clone, Copy)]
struct Sought {
    name: &'static str,
    cases: &'static [&'static str],
    shows: fn(&Checked) -> bool,
}

fn family(checked: &Checked, expected: Anomaly) -> bool {
    checked.anomalies.iter().any(|found| is_of_family(*found, expected))
}

fn told_of(checked: &Checked, kind: PhenomenonKind) -> bool {
    checked.phenomena.iter().any(|phenomenon| phenomenon.kind == kind)
}

const PLAIN: pgstrata_history::Scope = pgstrata_history::Scope::Plain;

/// The anomalies of Hermitage's table (M. Kleppmann, "Hermitage", 2014), and the cases that would show them.
const SOUGHT: [Sought; 10] = [
    Sought { name: "G0", cases: &["g0"], shows: |checked| family(checked, Anomaly::G0(PLAIN)) },
    Sought { name: "G1a", cases: &["g1a"], shows: |checked| told_of(checked, PhenomenonKind::AbortedRead) },
    Sought { name: "G1b", cases: &["g1b"], shows: |checked| told_of(checked, PhenomenonKind::IntermediateRead) },
    Sought { name: "G1c", cases: &["g1c"], shows: |checked| family(checked, Anomaly::G1c(PLAIN)) },
    Sought { name: "OTV", cases: &["otv"], shows: |checked| told_of(checked, PhenomenonKind::VanishedTransaction) },
    Sought { name: "PMP", cases: &["pmp", "pmp-write"], shows: |checked| family(checked, Anomaly::GSingle(PLAIN)) },
    Sought { name: "P4", cases: &["p4"], shows: |checked| family(checked, Anomaly::GSingle(PLAIN)) },
    Sought {
        name: "G-single",
        cases: &["g-single", "g-single-predicate", "g-single-write", "g-single-write-row", "g-single-deleted"],
        shows: |checked| family(checked, Anomaly::GSingle(PLAIN)),
    },
    Sought {
        name: "G2-item",
        cases: &["g2-item", "g2-on-call"],
        shows: |checked| family(checked, Anomaly::G2Item(PLAIN)),
    },
    Sought { name: "G2", cases: &["g2", "g2-two-edges"], shows: |checked| family(checked, Anomaly::G2(PLAIN)) },
];

impl Matrix {
    /// Plays all cases at all levels; `progress` is told how many of how many anomalies are done.
    pub async fn measure(
        stage: &Stage,
        version: PgVersion,
        progress: &mut (dyn FnMut(usize, usize) + Send),
    ) -> Result<Self, PlayError> {
        let mut rows = Vec::new();
        for (done, sought) in SOUGHT.iter().enumerate() {
            progress(done, SOUGHT.len());
            let empty = |level| Cell { level, witness: None, complaints: Vec::new() };
            let mut cells = Isolation::ALL.map(empty);
            for case in sought.cases {
                for builtin in builtin::find(case) {
                    play_case(stage, version, &builtin.scenario(), sought, &mut cells).await?;
                }
            }
            rows.push(Row { anomaly: sought.name, cases: sought.cases, cells });
        }
        progress(SOUGHT.len(), SOUGHT.len());
        Ok(Self { version, rows })
    }
}

async fn play_case(
    stage: &Stage,
    version: PgVersion,
    scenario: &Scenario,
    sought: &Sought,
    cells: &mut [Cell; 3],
) -> Result<(), PlayError> {
    let outcome = run::run(stage, scenario, version, &Isolation::ALL).await?;
    for at in &outcome.levels {
        let Some(cell) = cells.iter_mut().find(|cell| cell.level == at.level) else { continue };
        for judged in &at.plays {
            let named = |complaint: &crate::judge::Complaint| format!("{}: {complaint}", scenario.name);
            cell.complaints.extend(judged.complaints.iter().map(named));
            if cell.witness.is_none() && (sought.shows)(&judged.checked) {
                cell.witness = Some(witness(scenario, judged));
            }
        }
    }
    Ok(())
}

fn witness(scenario: &Scenario, judged: &Judged) -> Witness {
    let found = judged.checked.anomaly.map_or_else(|| "not serial".to_owned(), |anomaly| anomaly.to_string());
    let reasons: Vec<_> = judged.checked.cycle_reasons().collect();
    Witness {
        scenario: scenario.name.clone(),
        found,
        because: reasons.iter().map(|reason| reason.english(scenario, &judged.played)).collect(),
        because_zh: reasons.iter().map(|reason| reason.chinese(scenario, &judged.played)).collect(),
    }
}
