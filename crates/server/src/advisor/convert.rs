//! The analysis' own words in those of the wire. Nothing is decided here.

use std::collections::BTreeMap;

use pgstrata_sqltext::{Scope, Span, SqlError, Unanalysed, Workload};
use pgstrata_tools::advisor as engine;
use pgstrata_units::Isolation;

use crate::routes::advisor::analysis::{
    Act, Analysis, Change, Dependency, Edge, Kind, LevelVerdict, Place, Program, Promoted, Remark, ScopeFinding,
    Statement, Step, Transaction, Verdict, WhyNotLower, Witness,
};
use crate::routes::advisor::question::Level;
use pgstrata_tools::advisor::Words;

/// What was found of a workload.
pub fn analysis(workload: &Workload, report: &engine::Report) -> Analysis {
    let verdict = |verdict: &engine::Verdict| self::verdict(workload, verdict);
    let of_level = |(level, judged): (&Isolation, &engine::Verdict)| LevelVerdict {
        level: (*level).into(),
        verdict: verdict(judged),
    };
    let lower = report
        .why_not_lower
        .iter()
        .flat_map(|(program, levels)| levels.iter().map(move |(level, judged)| (program.clone(), *level, judged)));
    Analysis {
        programs: report.programs.iter().map(|program| self::program(workload, program)).collect(),
        edges: report.edges.iter().map(edge).collect(),
        uniform: report.uniform.iter().map(of_level).collect(),
        asked_levels: levels(&report.asked_levels),
        asked: verdict(&report.asked),
        optimal: levels(&report.optimal),
        why_not_lower: lower
            .map(|(program, level, judged)| WhyNotLower { program, level: level.into(), verdict: verdict(judged) })
            .collect(),
        promotions: report.with_promotion.iter().map(promoted).collect(),
        scopes: report.scopes.iter().map(scope).collect(),
        unanalysed: report.unanalysed.iter().map(unanalysed).collect(),
    }
}

/// A mistake in SQL.
pub fn mistake(error: &SqlError) -> Remark {
    remark(&error.span, &error.message, error.hint.as_deref())
}

/// Something that was not understood.
pub fn unanalysed(part: &Unanalysed) -> Remark {
    remark(&part.span, &part.why, part.hint.as_deref())
}

fn remark(span: &Span, message: &str, hint: Option<&str>) -> Remark {
    Remark { at: place(span), message: Words::of(message), hint: hint.map(Words::of) }
}

/// Levels by program.
pub fn levels(allocation: &engine::Allocation) -> BTreeMap<String, Level> {
    allocation.0.iter().map(|(program, level)| (program.clone(), (*level).into())).collect()
}

fn place(span: &Span) -> Place {
    Place {
        source: span.source.clone(),
        line: span.from.line,
        column: span.from.column,
        to_line: span.to.line,
        to_column: span.to.column,
    }
}

fn program(workload: &Workload, report: &engine::ProgramReport) -> Program {
    let known = workload.programs.iter().find(|program| program.name == report.name);
    let statement =
        |statement: &pgstrata_sqltext::Statement| Statement { sql: statement.text.clone(), at: place(&statement.span) };
    Program {
        name: report.name.clone(),
        at: place(&report.span),
        declared: report.declared.map(Level::from),
        recommended: report.recommended.into(),
        is_involved: report.is_involved,
        accepted: report.accepted.clone(),
        has_unanalysed: report.has_unanalysed,
        is_one_transaction: known.is_none_or(|program| program.scope == Scope::OneTransaction),
        frequency: known.and_then(|program| program.frequency),
        statements: known.map(|program| program.statements.iter().map(statement).collect()).unwrap_or_default(),
    }
}

fn kind(kind: engine::DependencyKind) -> Kind {
    match kind {
        engine::DependencyKind::Ww => Kind::Ww,
        engine::DependencyKind::Wr => Kind::Wr,
        engine::DependencyKind::Rw => Kind::Rw,
    }
}

fn edge(edge: &engine::Edge) -> Edge {
    Edge {
        from: edge.from.program.clone(),
        from_statement: edge.from.statement,
        to: edge.to.program.clone(),
        to_statement: edge.to.statement,
        kind: kind(edge.kind),
        relation: edge.relation.to_string(),
        columns: edge.columns.clone(),
        can_be_counterflow: edge.can_be_counterflow,
    }
}

fn verdict(workload: &Workload, verdict: &engine::Verdict) -> Verdict {
    match verdict {
        engine::Verdict::Safe => Verdict::Safe,
        engine::Verdict::Unsafe(found) => Verdict::Unsafe { witness: witness(workload, found) },
        engine::Verdict::Unknown { why, programs } => {
            Verdict::Unknown { why: Words::of(why), programs: programs.clone() }
        }
    }
}

fn witness(workload: &Workload, found: &engine::Witness) -> Witness {
    let transaction = |instance: &engine::Instance| Transaction {
        name: instance.name.clone(),
        program: instance.program.clone(),
        level: instance.level.into(),
        arguments: instance.arguments.clone(),
    };
    let step = |step: &engine::Step| {
        let instance = found.instances.get(step.instance);
        let (act, statement, sql) = match step.what {
            engine::StepKind::Begin => {
                let level = instance.map_or(Isolation::ReadCommitted, |instance| instance.level);
                (Act::Begin, None, format!("begin isolation level {level}"))
            }
            engine::StepKind::Statement(number) => {
                let program = instance.and_then(|one| workload.programs.iter().find(|known| known.name == one.program));
                let text = program.and_then(|program| program.statements.get(number)).map(|known| known.text.clone());
                (Act::Statement, Some(number), text.unwrap_or_default())
            }
            engine::StepKind::Commit => (Act::Commit, None, "commit".to_owned()),
        };
        Step { transaction: step.instance, act, statement, sql, waits: step.waits }
    };
    let dependency = |dependency: &engine::Dependency| Dependency {
        from: dependency.from.instance,
        from_statement: dependency.from.statement,
        to: dependency.to.instance,
        to_statement: dependency.to.statement,
        kind: kind(dependency.kind),
        relation: dependency.relation.to_string(),
        columns: dependency.columns.clone(),
        is_counterflow: dependency.is_counterflow,
    };
    Witness {
        transactions: found.instances.iter().map(transaction).collect(),
        steps: found.schedule.iter().map(step).collect(),
        cycle: found.cycle.iter().map(dependency).collect(),
    }
}

fn promoted(promoted: &engine::PromotedAllocation) -> Promoted {
    let change = |promotion: &engine::Promotion| {
        let is_of = |changed: &&engine::ChangedStatement| {
            changed.program == promotion.program && changed.statement == promotion.statement
        };
        let changed = promoted.changed.iter().find(is_of);
        Change {
            program: promotion.program.clone(),
            statement: promotion.statement,
            kind: promotion_kind(promotion.kind).to_owned(),
            relation: promotion.relation.to_string(),
            before: changed.map(|changed| changed.before.clone()).unwrap_or_default(),
            after: changed.map(|changed| changed.after.clone()).unwrap_or_default(),
        }
    };
    Promoted {
        changes: promoted.promotions.iter().map(change).collect(),
        levels: levels(&promoted.allocation),
        level_cost: promoted.level_cost,
    }
}

const fn promotion_kind(kind: engine::PromotionKind) -> &'static str {
    match kind {
        engine::PromotionKind::IdentityUpdate => "identity_update",
        engine::PromotionKind::ForUpdate => "for_update",
        engine::PromotionKind::ForShare => "for_share",
        engine::PromotionKind::AdvisoryLock => "advisory_lock",
    }
}

fn scope(finding: &engine::ScopeFinding) -> ScopeFinding {
    ScopeFinding {
        program: finding.program.clone(),
        first: finding.first,
        second: finding.second,
        relation: finding.relation.to_string(),
        columns: finding.columns.clone(),
        other: finding.other.clone(),
        level_as_one: finding.level_as_one.into(),
    }
}
