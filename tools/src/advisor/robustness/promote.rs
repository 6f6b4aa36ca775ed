//! Changes of the SQL that make a weaker level safe, found by trying them.
//!
//! Each change is made to the workload and the whole is decided again, so what is claimed for it is what the decision
//! says of the changed programs. A change is listed only if without it the levels would be higher.

use std::collections::BTreeSet;

use pgstrata_sqltext::{
    Access, AccessKind, Cause, LockStrength, Node, Program, Rows, Schema, Scope, Statement, Term, Workload,
    advisory_space, quoted,
};
use pgstrata_units::Isolation;

use super::build::{Seen, build, rebuild};
use super::decide::{Dangers, Levels};
use super::model::Model;
use crate::advisor::report::{Allocation, ChangedStatement, PromotedAllocation, Promotion, PromotionKind, Work};

/// Most sets of changes that are decided.
const MOST_TRIALS: usize = 160;
/// Most combinations that are looked at in all of them.
const MOST_COMBINATIONS: u64 = 1_000_000;
/// Most changes in a set.
const MOST_CHANGES: usize = 3;
/// Most sets that are listed.
const MOST_LISTED: usize = 8;
/// What repeatable read counts between read committed (0) and serializable (1).
const REPEATABLE_READ_COST: f64 = 0.5;

/// The best sets of changes; what is known of the workload as it is serves for what they leave alone.
pub(super) fn search(
    workload: &Workload,
    schema: &Schema,
    (model, dangers): (&Model, &Dangers),
    work: &mut Work,
) -> Vec<PromotedAllocation> {
    let limit = work.combinations + MOST_COMBINATIONS;
    let levels = dangers.optimal(model.programs.len());
    let before = After { cost: cost(workload, &levels), levels };
    let singles = candidates(workload, &statements_in_danger(model, dangers));
    let mut trials = Trials { workload, schema, model, dangers, work, left: MOST_TRIALS - 1, limit };
    let mut found: Vec<PromotedAllocation> = Vec::new();
    let mut open: Vec<(f64, Vec<Promotion>)> = vec![(before.cost, Vec::new())];
    for _ in 0..MOST_CHANGES {
        let mut next: Vec<(f64, Vec<Promotion>)> = Vec::new();
        for (cost, set) in &open {
            for single in &singles {
                // In order, so that each set is tried once; one change for each statement.
                let is_later = set.last().is_none_or(|last| last < single);
                if !is_later
                    || set.iter().any(|known| (&known.program, known.statement) == (&single.program, single.statement))
                {
                    continue;
                }
                let larger: Vec<Promotion> = set.iter().chain([single]).cloned().collect();
                let Some(after) = trials.decide(&larger) else { break };
                if after.cost < *cost {
                    found.push(after.listed(workload, larger.clone()));
                }
                next.push((after.cost.min(*cost), larger));
            }
        }
        next.sort_by(|one, two| one.0.total_cmp(&two.0));
        open = next;
    }
    found.retain(|found| !found.changed.is_empty());
    found.sort_by(|one, two| {
        one.level_cost
            .total_cmp(&two.level_cost)
            .then(one.promotions.len().cmp(&two.promotions.len()))
            .then_with(|| weight(one).cmp(&weight(two)))
    });
    let mut kept: Vec<PromotedAllocation> = Vec::new();
    for one in found {
        // A set that contains another one which does as well has changes that are not needed.
        // So has one that does with a costlier change what a cheaper one does as well.
        let is_covered = |change: &Promotion| {
            let place = (&change.program, change.statement);
            one.promotions.iter().any(|other| (&other.program, other.statement) == place)
        };
        let is_needless = kept.iter().any(|known| {
            known.promotions.iter().all(|change| one.promotions.contains(change))
                || (known.allocation == one.allocation && known.promotions.iter().all(is_covered))
        });
        if !is_needless && kept.len() < MOST_LISTED {
            kept.push(one);
        }
    }
    kept
}

/// What changes cost besides the levels: versions cost more than locks.
fn weight(found: &PromotedAllocation) -> usize {
    let of = |promotion: &Promotion| match promotion.kind {
        PromotionKind::ForShare => 1,
        PromotionKind::ForUpdate => 2,
        PromotionKind::IdentityUpdate => 4,
        PromotionKind::AdvisoryLock => 5,
    };
    found.promotions.iter().map(of).sum()
}

struct Trials<'a> {
    workload: &'a Workload,
    schema: &'a Schema,
    /// The workload as it is.
    model: &'a Model,
    dangers: &'a Dangers,
    work: &'a mut Work,
    left: usize,
    limit: u64,
}

/// What the decision says after some changes.
struct After {
    levels: Levels,
    cost: f64,
}

impl Trials<'_> {
    /// Decides the workload with some changes; nothing when there were enough trials.
    fn decide(&mut self, changes: &[Promotion]) -> Option<After> {
        self.left = self.left.checked_sub(1)?;
        if self.work.combinations > self.limit {
            return None;
        }
        let workload = apply(self.workload, changes);
        let is_touched = |name: &String| changes.iter().any(|change| change.program == *name);
        let names = self.model.programs.iter().enumerate();
        let touched: BTreeSet<usize> = names.filter(|(_, name)| is_touched(name)).map(|(number, _)| number).collect();
        let dangers = match rebuild(self.model, &workload, self.schema, &touched) {
            Some(model) => self.dangers.changed(&model, &touched, self.work),
            None => Dangers::of(&build(&workload, self.schema, Seen::AsTheyRun), self.work),
        };
        let levels = dangers.optimal(self.model.programs.len());
        Some(After { cost: cost(self.workload, &levels), levels })
    }
}

impl After {
    fn listed(&self, workload: &Workload, promotions: Vec<Promotion>) -> PromotedAllocation {
        let names = workload.programs.iter().map(|program| program.name.clone());
        PromotedAllocation {
            changed: promotions.iter().filter_map(|promotion| changed(workload, promotion)).collect(),
            promotions,
            allocation: Allocation(names.zip(self.levels.iter().copied()).collect()),
            level_cost: self.cost,
        }
    }
}

/// The statements through which some cycle leaves its split transaction.
fn statements_in_danger(model: &Model, dangers: &Dangers) -> BTreeSet<(usize, usize)> {
    let candidates = dangers.candidates.iter().map(|(_, candidate)| candidate);
    candidates
        .flat_map(|candidate| candidate.links.iter().map(move |(from, _)| (candidate, *from)))
        .filter_map(|(candidate, (actor, op))| {
            let path = &model.paths[*candidate.paths.get(actor)?];
            Some((path.program, path.statements[path.ops.get(op)?.place]))
        })
        .collect()
}

/// The mean cost of the levels, weighted with how often programs run.
fn cost(workload: &Workload, levels: &[Isolation]) -> f64 {
    let weight = |program: &Program| program.frequency.filter(|frequency| *frequency > 0.0).unwrap_or(1.0);
    let of = |level: &Isolation| match level {
        Isolation::ReadCommitted => 0.0,
        Isolation::RepeatableRead => REPEATABLE_READ_COST,
        Isolation::Serializable => 1.0,
    };
    let total: f64 = workload.programs.iter().map(weight).sum();
    let sum: f64 = workload.programs.iter().zip(levels).map(|(program, level)| weight(program) * of(level)).sum();
    if total > 0.0 { sum / total } else { 0.0 }
}

/// Changes that may help: reads by key that some cycle goes through, and a lock around programs that meet in predicates.
fn candidates(workload: &Workload, dangerous: &BTreeSet<(usize, usize)>) -> Vec<Promotion> {
    let mut all = Vec::new();
    for (program, statement) in dangerous {
        let owner = &workload.programs[*program];
        let Some(access) = plain_read(owner, *statement) else { continue };
        // Two who share a row and then update it wait for each other.
        let updates = |other: &Access| other.relation == access.relation && other.kind.is_write();
        let is_updated = owner.statements[*statement..].iter().flat_map(|later| &later.accesses).any(updates);
        for kind in [PromotionKind::ForShare, PromotionKind::ForUpdate, PromotionKind::IdentityUpdate] {
            let promotion = Promotion {
                program: owner.name.clone(),
                statement: *statement,
                kind,
                relation: access.relation.clone(),
            };
            let deadlocks = is_updated && kind == PromotionKind::ForShare;
            if !deadlocks && changed(workload, &promotion).is_some() {
                all.push(promotion);
            }
        }
    }
    all.extend(advisory_locks(workload, dangerous));
    all.sort();
    all
}

/// For programs with predicates in danger: a lock of the relation's name.
fn advisory_locks(workload: &Workload, dangerous: &BTreeSet<(usize, usize)>) -> Vec<Promotion> {
    let mut all = BTreeSet::new();
    for (program, statement) in dangerous {
        let owner = &workload.programs[*program];
        let in_one = owner.scope == Scope::OneTransaction;
        let accesses = &owner.statements[*statement].accesses;
        let is_predicate =
            |access: &&Access| !matches!(access.rows, Rows::One { .. }) && access.relation != advisory_space();
        if let (true, Some(access)) = (in_one, accesses.iter().find(is_predicate)) {
            all.insert(Promotion {
                program: owner.name.clone(),
                statement: 0,
                kind: PromotionKind::AdvisoryLock,
                relation: access.relation.clone(),
            });
        }
    }
    all.into_iter().collect()
}

/// The access of a statement that is nothing but a read of one row.
fn plain_read(program: &Program, statement: usize) -> Option<&Access> {
    let [access] = program.statements[statement].accesses.as_slice() else { return None };
    let is_plain =
        access.kind == AccessKind::Read && matches!(access.rows, Rows::One { .. }) && access.cause == Cause::Statement;
    is_plain.then_some(access)
}

/// The workload after some changes.
fn apply(workload: &Workload, changes: &[Promotion]) -> Workload {
    let mut workload = workload.clone();
    // Locks that are put in front move the statements' numbers, so they come last.
    let (locks, reads): (Vec<&Promotion>, Vec<&Promotion>) =
        changes.iter().partition(|change| change.kind == PromotionKind::AdvisoryLock);
    for change in reads.into_iter().chain(locks) {
        let Some(program) = workload.programs.iter_mut().find(|program| program.name == change.program) else {
            continue;
        };
        match change.kind {
            PromotionKind::ForShare => lock(program, change.statement, LockStrength::Share),
            PromotionKind::ForUpdate => lock(program, change.statement, LockStrength::Update),
            PromotionKind::IdentityUpdate => {
                let access = &mut program.statements[change.statement].accesses[0];
                access.writes = identity_column(access).into_iter().collect();
                access.kind = AccessKind::Update;
            }
            PromotionKind::AdvisoryLock => prepend(program, advisory(program, change)),
        }
    }
    workload
}

fn lock(program: &mut Program, statement: usize, strength: LockStrength) {
    program.statements[statement].accesses[0].kind = AccessKind::Lock(strength);
}

/// The column that an update sets to itself: one that is read, and no part of the key.
fn identity_column(access: &Access) -> Option<String> {
    let Rows::One { key, .. } = &access.rows else { return None };
    access.reads.iter().find(|column| !key.contains(column)).cloned()
}

fn advisory(program: &Program, change: &Promotion) -> Statement {
    let text = lock_text(change);
    let span = program.span.clone();
    let access = Access {
        relation: advisory_space(),
        kind: AccessKind::Advisory { shared: false, transaction: true, may_fail: false },
        rows: Rows::one(vec!["key".to_owned()], vec![Term::Constant(text.clone())]),
        reads: BTreeSet::new(),
        writes: BTreeSet::new(),
        values: std::collections::BTreeMap::new(),
        conditions: BTreeSet::new(),
        conditional: false,
        may_miss: false,
        nested: false,
        cause: Cause::Statement,
        span: span.clone(),
    };
    Statement {
        span,
        prepared: text.clone(),
        text,
        arguments: Vec::new(),
        results: Vec::new(),
        accesses: vec![access],
        unanalysed: Vec::new(),
    }
}

/// Taken in a statement of its own, so that at read committed what follows sees what the holder before has committed.
fn lock_text(change: &Promotion) -> String {
    format!("select pg_advisory_xact_lock(hashtext('{}'))", change.relation.to_string().replace('\'', "''"))
}

fn prepend(program: &mut Program, statement: Statement) {
    program.statements.insert(0, statement);
    shift(&mut program.body);
    program.body.insert(0, Node::Statement(0));
    for access in program.statements.iter_mut().flat_map(|statement| &mut statement.accesses) {
        access.rows.change_terms(postpone);
        access.values.values_mut().for_each(postpone);
    }
}

/// A term in a program before whose statements one was put.
fn postpone(term: &mut Term) {
    if let Term::Result { statement, .. } = term {
        *statement += 1;
    }
}

fn shift(nodes: &mut [Node]) {
    for node in nodes {
        match node {
            Node::Statement(number) => *number += 1,
            Node::Choice(branches) => branches.iter_mut().for_each(|branch| shift(branch)),
            Node::Repeat(body) => shift(body),
        }
    }
}

/// The statement's text after a change; nothing when its form is not one that can be changed by itself.
fn changed(workload: &Workload, promotion: &Promotion) -> Option<ChangedStatement> {
    let program = workload.programs.iter().find(|program| program.name == promotion.program)?;
    let before = program.statements.get(promotion.statement)?.text.clone();
    let after = match promotion.kind {
        PromotionKind::ForShare => vec![format!("{}\nfor share", Select::of(&before)?.text)],
        PromotionKind::ForUpdate => vec![format!("{}\nfor update", Select::of(&before)?.text)],
        PromotionKind::IdentityUpdate => {
            let column = quoted(&identity_column(plain_read(program, promotion.statement)?)?);
            let Select { list, from, condition, .. } = Select::of(&before)?;
            vec![format!("update {from}\nset {column} = {column}\nwhere {condition}\nreturning {list}")]
        }
        PromotionKind::AdvisoryLock => vec![lock_text(promotion), before.clone()],
    };
    Some(ChangedStatement { program: program.name.clone(), statement: promotion.statement, before, after })
}

/// A query of one table by a condition, and nothing else.
struct Select<'a> {
    text: &'a str,
    list: &'a str,
    from: &'a str,
    condition: &'a str,
}

impl<'a> Select<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let text = text.trim().trim_end_matches(';').trim_end();
        let lower = text.to_ascii_lowercase();
        let flat: String = lower.chars().map(|c| if c.is_ascii_whitespace() { ' ' } else { c }).collect();
        let others = [
            " join ",
            " group by ",
            " order by ",
            " limit ",
            " having ",
            " union ",
            " for ",
            " distinct ",
            " offset ",
            " with ",
            "/*",
            "--",
        ];
        let list_start = flat.strip_prefix("select ").map(|_| "select ".len())?;
        if others.iter().any(|word| flat.contains(word))
            || flat.matches(" from ").count() != 1
            || flat.matches("select").count() != 1
        {
            return None;
        }
        let from = flat.find(" from ")?;
        let condition = flat.find(" where ").filter(|at| *at > from)?;
        let list = text[list_start..from].trim();
        let table = text[from + " from ".len()..condition].trim();
        // Aggregates can be neither locked nor returned.
        let is_plain = !table.contains(',') && !list.contains('(');
        is_plain.then(|| Self { text, list, from: table, condition: text[condition + " where ".len()..].trim() })
    }
}
