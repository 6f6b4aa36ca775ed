//! Puts the answers together into a report.

use std::collections::BTreeMap;

use pgstrata_sqltext::{PragmaKind, Program, Schema, Unanalysed, Workload};
use pgstrata_units::Isolation;

use super::build::{Seen, build};
use super::decide::{Dangers, Levels};
use super::evidence::Meaning;
use super::maximal::maximal_safe;
use super::telling::Telling;
use super::verdict::{Failed, verdict};
use crate::advisor::report::{Allocation, Options, ProgramReport, Report, Verdict, Work};

pub(super) fn report(workload: &Workload, schema: &Schema, options: &Options) -> Report {
    let model = build(workload, schema, Seen::AsTheyRun);
    let mut work = Work { paths: model.paths.len() as u64, ..Work::default() };
    let dangers = Dangers::of(&model, &mut work);
    let telling = Telling::of(workload);
    let meaning = Meaning { workload, schema, model: &model, telling: &telling };
    let mut failed = Failed::default();
    let mut judge = |levels: &Levels| verdict(meaning, &dangers, levels, &mut failed, &mut work);
    let levels = |allocation: &Allocation| model.programs.iter().map(|name| allocation.level(name)).collect::<Levels>();
    let named = |levels: &Levels| Allocation(model.programs.iter().cloned().zip(levels.iter().copied()).collect());

    let asked_levels = asked(workload, options);
    let asked = judge(&levels(&asked_levels));
    let uniform = Isolation::ALL.into_iter().map(|level| (level, judge(&vec![level; model.programs.len()]))).collect();
    let best = dangers.optimal(model.programs.len());
    let why_not_lower = why_not_lower(&model.programs, &best, &mut judge);
    let optimal = named(&best);
    let maximal_safe =
        Isolation::ALL.into_iter().map(|level| (level, maximal_safe(&model, &dangers, level, &mut work))).collect();
    let with_promotion = if options.may_promote {
        super::promote::search(workload, schema, (&model, &dangers), &mut work)
    } else {
        Vec::new()
    };
    Report {
        programs: workload.programs.iter().map(|program| of_program(program, &optimal, &asked)).collect(),
        uniform,
        asked,
        asked_levels,
        why_not_lower,
        optimal,
        with_promotion,
        maximal_safe,
        edges: super::edges::edges(&model, &dangers.found_with.ground),
        scopes: super::scope::findings(workload, schema, &mut work),
        unanalysed: unanalysed(workload),
        work,
    }
}

/// What happens when one program runs lower than recommended, and the others as recommended.
fn why_not_lower(
    programs: &[String],
    best: &Levels,
    judge: &mut dyn FnMut(&Levels) -> Verdict,
) -> BTreeMap<String, BTreeMap<Isolation, Verdict>> {
    let above = programs.iter().enumerate().filter(|(number, _)| best[*number] > Isolation::ReadCommitted);
    above
        .map(|(number, name)| {
            let lower = Isolation::ALL.into_iter().filter(|level| *level < best[number]);
            let verdicts = lower.map(|level| {
                let mut levels = best.clone();
                levels[number] = level;
                (level, judge(&levels))
            });
            (name.clone(), verdicts.collect())
        })
        .collect()
}

/// Each once, although what is around programs may be around many.
fn unanalysed(workload: &Workload) -> Vec<Unanalysed> {
    let statements = workload.programs.iter().flat_map(|program| &program.statements);
    workload.unanalysed.iter().chain(statements.flat_map(|statement| &statement.unanalysed)).cloned().collect()
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
