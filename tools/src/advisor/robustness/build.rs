//! From the workload as its SQL says it to the model that is decided.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_sqltext::{
    Access, AccessKind, Cause, Comparison, LockStrength, Order, Program, RelationName, Rows, Schema, TableLock, Term,
    Workload,
};

use super::model::{Action, Columns, Constant, EVERYTHING, EXISTS, Model, Op, Path, Relation, RowSet, Value, Var, bit};
use super::unfold::{Unfolded, unfold, whole};

/// Moments of one statement: its snapshot, its locks, then what foreign keys and triggers do with snapshots of their own.
const MOMENTS: u16 = 4;
/// The relation that stands for all when a statement could not be analysed.
const ANYTHING: &str = "(anything)";

/// How programs that run their statements separately are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// As they run: each statement a transaction.
    AsTheyRun,
    /// As one transaction, as they ought to run.
    AsOne,
}

/// The model of a workload.
pub(super) fn build(workload: &Workload, schema: &Schema, seen: Seen) -> Model {
    let mut builder =
        Builder { model: Model::default(), schema, relations: BTreeMap::new(), constants: BTreeMap::new() };
    for (number, program) in workload.programs.iter().enumerate() {
        builder.model.programs.push(program.name.clone());
        let unfolded = if seen == Seen::AsOne { whole(program) } else { unfold(program) };
        for path in unfolded {
            let path = builder.path(number, program, path);
            builder.model.paths.push(path);
        }
    }
    builder.model
}

/// A model in which some programs are others, and everything else keeps its number; nothing where a program has not as
/// many paths as before.
pub(super) fn rebuild(model: &Model, workload: &Workload, schema: &Schema, changed: &BTreeSet<usize>) -> Option<Model> {
    let numbered = |(number, relation): (usize, &Relation)| (relation.name.clone(), number);
    let relations = model.relations.iter().enumerate().map(numbered).collect();
    let constants =
        model.constants.iter().enumerate().map(|(number, constant)| (constant.sql.clone(), number)).collect();
    let mut builder = Builder { model: model.clone(), schema, relations, constants };
    for number in changed.iter().copied() {
        let places =
            || model.paths.iter().enumerate().filter(|(_, path)| path.program == number).map(|(place, _)| place);
        let unfolded = unfold(&workload.programs[number]);
        if unfolded.len() != places().count() {
            return None;
        }
        for (place, path) in places().zip(unfolded) {
            builder.model.paths[place] = builder.path(number, &workload.programs[number], path);
        }
    }
    Some(builder.model)
}

struct Builder<'a> {
    model: Model,
    schema: &'a Schema,
    relations: BTreeMap<RelationName, usize>,
    constants: BTreeMap<String, usize>,
}

/// A path while it is made.
struct Draft {
    path: Path,
    /// Where the current statement stands.
    place: usize,
    iteration: usize,
    /// Parameters that have one value on the whole path.
    steady: BTreeSet<String>,
    known: BTreeMap<(Term, usize), usize>,
    accesses: usize,
}

impl Builder<'_> {
    fn path(&mut self, number: usize, program: &Program, unfolded: Unfolded) -> Path {
        let statements: Vec<usize> = unfolded.statements.iter().map(|(statement, _)| *statement).collect();
        let takes_snapshot = |at: &usize| {
            let statement = &program.statements[*at];
            let is_lock = |access: &Access| matches!(access.kind, AccessKind::LockTable(_));
            statement.accesses.is_empty() || !statement.accesses.iter().all(is_lock)
        };
        let path = Path {
            program: number,
            snapshot: statements.iter().position(takes_snapshot).unwrap_or(0),
            statements,
            choices: unfolded.choices,
            only: unfolded.only,
            is_merged: unfolded.is_merged,
            ops: Vec::new(),
            vars: Vec::new(),
            values: Vec::new(),
        };
        let mut draft = Draft {
            path,
            place: 0,
            iteration: 0,
            steady: steady(program, &unfolded.statements),
            known: BTreeMap::new(),
            accesses: 0,
        };
        for (place, (number, iteration)) in unfolded.statements.iter().enumerate() {
            draft.place = place;
            draft.iteration = *iteration;
            let statement = &program.statements[*number];
            for access in &statement.accesses {
                let other = |other: &Access| other.cause == Cause::OnConflict && other.relation == access.relation;
                let is_tentative = access.kind == AccessKind::Insert && statement.accesses.iter().any(other);
                self.access(&mut draft, access, is_tentative || access.cause == Cause::OnConflict);
            }
            if !statement.unanalysed.is_empty() {
                self.anything(&mut draft, (moment(place, 0), moment(place + 1, 0) - 1));
            }
        }
        if !program.around.is_empty() {
            draft.place = 0;
            let end = moment(draft.path.statements.len() + 1, 0);
            self.anything(&mut draft, (0, end));
        }
        draft.path.ops.sort_by_key(|op| (op.first, op.last));
        draft.path
    }

    /// Something of which not all is known: it may do anything between two moments.
    fn anything(&mut self, draft: &mut Draft, (first, last): (u16, u16)) {
        let relation = self.relation(&RelationName::in_schema("", ANYTHING));
        self.model.relations[relation].is_anything = true;
        let var = draft.var(relation, RowSet::anything());
        let op = Op { first, last, ..draft.op(var, relation, Action::Anything) };
        draft.push(Op { reads: EVERYTHING, writes: EVERYTHING, certain: false, ..op });
    }

    fn access(&mut self, draft: &mut Draft, access: &Access, on_conflict: bool) {
        let relation = self.relation(&access.relation);
        let var = self.var(draft, relation, &access.rows);
        let (early, late) = moments(draft, access, self.schema);
        let certain = !access.conditional && !draft.path.is_merged && !on_conflict;
        let reads = self.columns(relation, &access.reads) | EXISTS;
        let base = Op { certain, on_conflict, ..draft.op(var, relation, Action::Insert) };
        let action = action_of(access);
        draft.accesses += 1;
        match action {
            // The insert itself looks for the row.
            Action::Read { .. } if on_conflict => {}
            Action::Read { .. } => {
                draft.push(Op { first: early.0, last: early.1, action, reads, table: TableLock::AccessShare, ..base });
            }
            Action::Lock(_) | Action::Update(_) | Action::Delete => {
                let table =
                    if matches!(action, Action::Lock(_)) { TableLock::RowShare } else { TableLock::RowExclusive };
                let conditions = self.conditions(relation, access);
                let is_check = matches!(access.cause, Cause::ForeignKey(_));
                let finds = is_check && matches!(access.rows, Rows::One { .. });
                let wants = self.wants(draft, relation, &access.rows);
                let base = Op { forbids: is_check && !finds, wants, ..base };
                // Who looks by more than the key may not find a row that exists.
                let certain = certain && !access.may_miss && (conditions == EXISTS || finds);
                if !on_conflict {
                    let action = Action::Read { looks: true };
                    draft.push(Op { first: early.0, last: early.1, action, reads: conditions, table, ..base.clone() });
                }
                let writes = self.writes(relation, access);
                let op = Op { first: late.0, last: late.1, action, reads, writes, certain, finds, table, ..base };
                draft.push(op.clone());
                if self.writes_key(access) {
                    moved_row(draft, &op);
                }
            }
            Action::Insert => {
                let values =
                    access.values.iter().map(|(column, term)| (self.column(relation, column), draft.value(self, term)));
                let values = values.collect();
                let table = TableLock::RowExclusive;
                let reads = if on_conflict { EXISTS } else { 0 };
                draft.push(Op {
                    first: late.0,
                    last: late.1,
                    action,
                    reads,
                    writes: EVERYTHING,
                    values,
                    table,
                    certain: base.certain && !access.may_miss,
                    ..base
                });
                self.other_keys(draft, access);
            }
            Action::Table(mode) => draft.push(Op { first: early.0, last: early.1, action, table: mode, ..base }),
            Action::Advisory { .. } => {
                draft.push(Op { first: late.0, last: late.1, action, table: TableLock::AccessShare, ..base });
            }
            Action::Anything => {}
        }
    }

    /// What a row that is looked for by its key must hold besides.
    fn wants(&mut self, draft: &mut Draft, relation: usize, rows: &Rows) -> Vec<(u8, Option<Order>, usize)> {
        let Rows::One { also, compared, .. } = rows else { return Vec::new() };
        let equal = also.iter().map(|(column, term)| (column, None, term));
        let compared = compared.iter().map(|other| (&other.column, Some(other.order), &other.term));
        let wanted = equal.chain(compared);
        wanted.map(|(column, order, term)| (self.column(relation, column), order, draft.value(self, term))).collect()
    }

    /// The new row comes under its other unique keys, too: whoever had one of them must have left it. A key may be null,
    /// so nothing is certain.
    fn other_keys(&mut self, draft: &mut Draft, access: &Access) {
        let Some(inserted) = draft.path.ops.last().cloned() else { return };
        let chosen = match &access.rows {
            Rows::One { key, .. } => key.as_slice(),
            Rows::Where { .. } | Rows::All => return,
        };
        let keys =
            self.schema.relations.get(&access.relation).map(|relation| relation.keys.as_slice()).unwrap_or_default();
        for key in keys.iter().filter(|key| key.columns != chosen && !key.columns.is_empty()) {
            let term = |column: &String| access.values.get(column).cloned().unwrap_or(Term::Unknown);
            let rows = Rows::one(key.columns.clone(), key.columns.iter().map(term).collect());
            let var = self.var(draft, inserted.relation, &rows);
            draft.push(Op { var, writes: EXISTS, certain: false, ..inserted.clone() });
        }
    }

    fn writes(&mut self, relation: usize, access: &Access) -> Columns {
        match access.kind {
            AccessKind::Delete => EVERYTHING,
            AccessKind::Update if self.writes_key(access) => self.columns(relation, &access.writes) | EXISTS,
            AccessKind::Update => self.columns(relation, &access.writes),
            _ => 0,
        }
    }

    fn writes_key(&self, access: &Access) -> bool {
        let Some(relation) = self.schema.relations.get(&access.relation) else { return false };
        let mut keys = relation.keys.iter().flat_map(|key| &key.columns);
        access.kind == AccessKind::Update && keys.any(|column| access.writes.contains(column))
    }

    /// What the statement's snapshot decides before any row is locked.
    fn conditions(&mut self, relation: usize, access: &Access) -> Columns {
        let columns: BTreeSet<String> = match &access.rows {
            Rows::One { key, .. } => access.conditions.iter().filter(|column| !key.contains(column)).cloned().collect(),
            Rows::Where { columns, .. } => columns.union(&access.conditions).cloned().collect(),
            Rows::All => access.conditions.clone(),
        };
        self.columns(relation, &columns) | EXISTS
    }

    fn var(&mut self, draft: &mut Draft, relation: usize, rows: &Rows) -> usize {
        let rows = match rows {
            Rows::One { key, terms, .. } => {
                let mut pairs: Vec<(u8, usize)> = key
                    .iter()
                    .zip(terms)
                    .map(|(column, term)| (self.column(relation, column), draft.value(self, term)))
                    .collect();
                pairs.sort_unstable();
                let (key, values) = pairs.into_iter().unzip();
                RowSet::One { key, values }
            }
            Rows::Where { equal, compared, .. } => {
                let pairs = equal.iter().map(|(column, term)| (self.column(relation, column), draft.value(self, term)));
                let equal = pairs.collect();
                let of = |comparison: &Comparison| {
                    let Comparison { column, order, term } = comparison;
                    (self.column(relation, column), *order, draft.value(self, term))
                };
                RowSet::Some { equal, compared: compared.iter().map(of).collect() }
            }
            Rows::All => RowSet::anything(),
        };
        draft.var(relation, rows)
    }

    fn relation(&mut self, name: &RelationName) -> usize {
        if let Some(number) = self.relations.get(name) {
            return *number;
        }
        let number = self.model.relations.len();
        self.model.relations.push(Relation { name: name.clone(), columns: Vec::new(), is_anything: false });
        self.relations.insert(name.clone(), number);
        number
    }

    fn column(&mut self, relation: usize, column: &str) -> u8 {
        let columns = &mut self.model.relations[relation].columns;
        let place = columns.iter().position(|known| known == column).unwrap_or_else(|| {
            columns.push(column.to_owned());
            columns.len() - 1
        });
        bit(place)
    }

    fn columns(&mut self, relation: usize, columns: &BTreeSet<String>) -> Columns {
        columns.iter().fold(0, |set, column| set | 1 << self.column(relation, column))
    }

    fn constant(&mut self, sql: &str) -> usize {
        let next = self.model.constants.len();
        let number = *self.constants.entry(sql.to_owned()).or_insert(next);
        if number == next {
            self.model.constants.push(Constant { sql: sql.to_owned() });
        }
        number
    }
}

impl Draft {
    fn op(&self, var: usize, relation: usize, action: Action) -> Op {
        Op {
            first: 0,
            last: 0,
            place: self.place,
            access: self.accesses,
            var,
            relation,
            action,
            reads: 0,
            writes: 0,
            values: Vec::new(),
            wants: Vec::new(),
            certain: true,
            finds: false,
            forbids: false,
            on_conflict: false,
            table: TableLock::AccessShare,
        }
    }

    fn push(&mut self, op: Op) {
        self.path.ops.push(op);
    }

    /// The variable of these rows; the same rows are the same variable.
    fn var(&mut self, relation: usize, rows: RowSet) -> usize {
        let same = |var: &Var| match (&var.rows, &rows) {
            (RowSet::One { key, values }, RowSet::One { key: other, values: theirs }) => {
                var.relation == relation && key == other && values == theirs
            }
            _ => false,
        };
        self.path.vars.iter().position(same).unwrap_or_else(|| {
            self.path.vars.push(Var { relation, rows });
            self.path.vars.len() - 1
        })
    }

    fn value(&mut self, builder: &mut Builder<'_>, term: &Term) -> usize {
        let (value, iteration) = match term {
            Term::Parameter(name) => {
                let iteration = if self.steady.contains(name) { 0 } else { self.iteration };
                (Value::Parameter { name: name.clone(), iteration }, iteration)
            }
            Term::Constant(sql) => (Value::Constant(builder.constant(sql)), 0),
            Term::Result { statement, column } => {
                let before = &self.path.statements[..self.place];
                match before.iter().rposition(|number| number == statement) {
                    Some(place) => (Value::Result { place, column: column.clone() }, place),
                    None => (Value::Unknown, usize::MAX),
                }
            }
            Term::Unknown => (Value::Unknown, usize::MAX),
        };
        let number = self.path.values.len();
        if value == Value::Unknown {
            self.path.values.push(value);
            return number;
        }
        let number = *self.known.entry((term.clone(), iteration)).or_insert(number);
        if number == self.path.values.len() {
            self.path.values.push(value);
        }
        number
    }
}

/// When an access reads by a snapshot, and when it locks: the earliest and the latest moment of each.
fn moments(draft: &Draft, access: &Access, schema: &Schema) -> ((u16, u16), (u16, u16)) {
    let at = |part| moment(draft.place, part);
    let end = moment(draft.path.statements.len(), 0);
    let mut triggers = schema.relations.values().flat_map(|relation| &relation.triggers);
    let mut foreign_keys = schema.relations.values().flat_map(|relation| &relation.foreign_keys);
    if access.nested {
        // Before, while or after the row is changed, by statements of their own; of a trigger that may be put off, until
        // the transaction's end.
        let is_deferred = match &access.cause {
            Cause::Function(_) => false,
            Cause::Trigger(name) => triggers.any(|trigger| trigger.name == *name && trigger.deferrable),
            _ => triggers.any(|trigger| trigger.deferrable) || foreign_keys.any(|key| key.deferred),
        };
        let last = if is_deferred { end.max(at(3)) } else { at(3) };
        return ((at(0), last), (at(0), last));
    }
    match &access.cause {
        Cause::Statement | Cause::OnConflict | Cause::View(_) => ((at(0), at(0)), (at(1), at(1))),
        Cause::ForeignKey(name) | Cause::Cascade(name) => {
            let end = if foreign_keys.any(|key| key.deferred && key.name == *name) { end } else { 0 };
            ((at(2), at(2).max(end)), (at(3), at(3).max(end)))
        }
        Cause::Trigger(_) | Cause::Function(_) => ((at(0), at(3)), (at(0), at(3))),
    }
}

fn moment(place: usize, part: u16) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX).min(u16::MAX / MOMENTS - 1) * MOMENTS + part
}

/// Parameters that some statement outside of loops uses: they do not change from one iteration to the next.
fn steady(program: &Program, statements: &[(usize, usize)]) -> BTreeSet<String> {
    let outside = statements.iter().filter(|(_, iteration)| *iteration == 0);
    let terms = outside.flat_map(|(number, _)| &program.statements[*number].accesses).flat_map(terms);
    terms.filter_map(|term| if let Term::Parameter(name) = term { Some(name.clone()) } else { None }).collect()
}

fn terms(access: &Access) -> Vec<&Term> {
    access.rows.compared().into_iter().map(|(_, term)| term).chain(access.values.values()).collect()
}

/// An update of a key's column: the row comes under a name that other programs may look for.
fn moved_row(draft: &mut Draft, op: &Op) {
    let var = draft.var(op.relation, RowSet::anything());
    draft.push(Op { var, writes: op.writes | EXISTS, certain: false, finds: false, ..op.clone() });
}

fn action_of(access: &Access) -> Action {
    match access.kind {
        // A key that is set to what it was changes no key, so the stronger lock is not certain
        // (`heapam.c`, `HeapDetermineColumnsInfo`).
        AccessKind::Update => Action::Update(LockStrength::NoKeyUpdate),
        AccessKind::Insert => Action::Insert,
        AccessKind::Delete => Action::Delete,
        AccessKind::Lock(strength) => Action::Lock(strength),
        AccessKind::LockTable(mode) => Action::Table(mode),
        AccessKind::Advisory { shared, transaction: true, may_fail: false } => Action::Advisory { shared },
        // A lock that is given back before the end, or not had at all, is nothing to rely on.
        AccessKind::Read | AccessKind::Advisory { .. } => Action::Read { looks: false },
    }
}
