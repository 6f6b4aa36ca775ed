//! Puts the answers together into a report.

use std::collections::BTreeMap;

use pgstrata_sqltext::{PragmaKind, Program, Schema, Workload};
use pgstrata_units::Isolation;

use crate::advisor::report::{Allocation, Options, ProgramReport, Report, Verdict, Work};

pub(super) fn report(workload: &Workload, _schema: &Schema, options: &Options) -> Report {
    let names = || workload.programs.iter().map(|program| program.name.as_str());
    let all = |level| if level == Isolation::Serializable { Verdict::Safe } else { undecided(names()) };
    let optimal = Allocation::uniform(names(), Isolation::Serializable);
    let asked_levels = asked(workload, options);
    let asked = if asked_levels == optimal { Verdict::Safe } else { undecided(names()) };
    Report {
        programs: workload.programs.iter().map(|program| of_program(program, &optimal, &asked)).collect(),
        uniform: Isolation::ALL.into_iter().map(|level| (level, all(level))).collect(),
        asked,
        asked_levels,
        why_not_lower: BTreeMap::new(),
        optimal,
        with_promotion: Vec::new(),
        maximal_safe: BTreeMap::new(),
        edges: Vec::new(),
        scopes: Vec::new(),
        unanalysed: workload.unanalysed.clone(),
        work: Work::default(),
    }
}

fn undecided<'a>(names: impl Iterator<Item = &'a str>) -> Verdict {
    Verdict::Unknown { why: "not analysed".to_owned(), programs: names.map(str::to_owned).collect() }
}

/// The levels that are asked about, completed by what the programs declare.
fn asked(workload: &Workload, options: &Options) -> Allocation {
    let given = |program: &Program| options.allocation.as_ref().and_then(|levels| levels.0.get(&program.name)).copied();
    let level = |program: &Program| given(program).or(program.level).unwrap_or(Isolation::ReadCommitted);
    Allocation(workload.programs.iter().map(|program| (program.name.clone(), level(program))).collect())
}

fn of_program(program: &Program, optimal: &Allocation, asked: &Verdict) -> ProgramReport {
    let involved = match asked {
        Verdict::Safe => false,
        Verdict::Unsafe(witness) => witness.instances.iter().any(|instance| instance.program == program.name),
        Verdict::Unknown { programs, .. } => programs.contains(&program.name),
    };
    let accepted = program.pragmas.iter().find_map(|pragma| match &pragma.kind {
        PragmaKind::AcceptUnsafe { reason } => Some(reason.clone()),
        PragmaKind::Program { .. } | PragmaKind::Frequency(_) | PragmaKind::Parameter(_) => None,
    });
    ProgramReport {
        name: program.name.clone(),
        span: program.span.clone(),
        declared: program.level,
        recommended: optimal.level(&program.name),
        is_involved: involved,
        accepted,
        has_unanalysed: program.unanalysed().next().is_some(),
    }
}
