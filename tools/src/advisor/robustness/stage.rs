//! From a candidate cycle to transactions with rows that the model can run.

use std::collections::BTreeMap;

use pgstrata_sqltext::Order;
use pgstrata_units::Isolation;

use super::conflict::{At, dependencies};
use super::machine::{Actor, Stage};
use super::model::{Action, EXISTS, Model, Op, Path, RowSet, Value};
use super::reach::Reach;
use super::splits::Candidate;
use super::unify::Unifier;

/// Transactions whose rows are known.
pub(super) struct Cast<'m> {
    pub rows: Unifier<'m>,
    pub stage: Stage<'m>,
    /// By row: a variable that names it by key, if there is one, and what predicates say of its columns.
    pub names: Vec<RowName>,
}

/// What is known of a row.
#[derive(Debug, Clone, Default)]
pub(super) struct RowName {
    pub relation: usize,
    /// Column and value, the value as transaction and place in its path.
    pub columns: BTreeMap<u8, (usize, usize)>,
    /// Variables that name it by a key.
    pub keys: Vec<(usize, usize)>,
}

impl Cast<'_> {
    /// What predicates say of the rows that they cover, besides equalities: the row, its column, how it compares, and with
    /// which value of a transaction.
    pub fn compared(&self) -> Vec<(usize, u8, Order, (usize, usize))> {
        let mut all = Vec::new();
        for (actor, path) in self.rows.paths.iter().enumerate() {
            for (var, covered) in path.vars.iter().zip(&self.stage.actors[actor].rows) {
                let RowSet::Some { compared, .. } = &var.rows else { continue };
                for row in covered {
                    all.extend(compared.iter().map(|(column, order, value)| (*row, *column, *order, (actor, *value))));
                }
            }
        }
        all
    }
}

impl Cast<'_> {
    /// Whether all that is known of the rows to which some transactions come is said by one of them.
    pub fn is_known_by(&self, has: &dyn Fn(usize) -> bool) -> bool {
        let members = || (0..self.rows.paths.len()).filter(|actor| has(*actor));
        let comes_to = |row: usize| {
            members().any(|actor| self.stage.actors[actor].rows.iter().any(|covered| covered.contains(&row)))
        };
        let says = |value: &(usize, usize)| {
            let root = self.rows.root(value.0, value.1);
            members()
                .any(|actor| (0..self.rows.paths[actor].values.len()).any(|other| self.rows.root(actor, other) == root))
        };
        let rows = self.names.iter().enumerate().filter(|(row, _)| comes_to(*row));
        rows.into_iter().all(|(_, name)| name.columns.values().all(says))
    }
}

/// Transactions for a candidate; nothing when its rows cannot meet, or when it goes through something unknown.
pub(super) fn cast<'m>(
    model: &'m Model,
    reach: &Reach,
    candidate: &Candidate,
    levels: &[Isolation],
) -> Option<Cast<'m>> {
    let (paths, links) = if candidate.is_long {
        lengthened(model, reach, candidate)?
    } else {
        (candidate.paths.clone(), candidate.links.clone())
    };
    let members: Vec<&Path> = paths.iter().map(|path| &model.paths[*path]).collect();
    let unknown = |path: &&&Path| path.is_merged || path.ops.iter().any(|op| op.action == Action::Anything);
    if members.iter().any(|path| unknown(&path)) {
        return None;
    }
    let mut rows = Unifier::new(model, &members);
    for (from, to) in &links {
        if !rows.meet((from.0, &members[from.0].ops[from.1]), (to.0, &members[to.0].ops[to.1])) {
            return None;
        }
    }
    same_sources(&mut rows);
    Some(arrange(rows, &links, levels))
}

/// The same found value comes out of the same row, where both were looked up by the same key: two rows with the value
/// could be one too many for a unique key.
fn same_sources(rows: &mut Unifier<'_>) {
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (actor, path) in rows.paths.iter().enumerate() {
        for (value, kind) in path.values.iter().enumerate() {
            let Value::Result { place, .. } = kind else { continue };
            let mut ops = path.ops.iter().enumerate().filter(|(_, op)| op.place == *place);
            if let (Some((op, _)), None) = (ops.next(), ops.next()) {
                found.push((actor, value, op));
            }
        }
    }
    for (at, one) in found.iter().enumerate() {
        for two in &found[at + 1..] {
            let paths = rows.paths.clone();
            let (first, second) = (&paths[one.0].ops[one.2], &paths[two.0].ops[two.2]);
            let by_key = |actor: usize, op: &Op| matches!(paths[actor].vars[op.var].rows, RowSet::One { .. });
            let is_same = rows.root(one.0, one.1) == rows.root(two.0, two.1);
            if is_same && first.relation == second.relation && by_key(one.0, first) && by_key(two.0, second) {
                let mut joined = rows.clone();
                if joined.meet((one.0, first), (two.0, second)) {
                    *rows = joined;
                }
            }
        }
    }
}

/// The dependencies of a cycle, both ends.
type Links = Vec<(At, At)>;

/// A long candidate with its middle: a shortest chain, each two of it joined by the first operations that meet.
fn lengthened(model: &Model, reach: &Reach, candidate: &Candidate) -> Option<(Vec<usize>, Links)> {
    let [first, second, last] = candidate.paths.as_slice() else { return None };
    let (start, end) = (candidate.links[0], candidate.links[1]);
    let is_new = model.paths[*second].ops[start.1.1].action == Action::Insert;
    let chain = reach.chain(*first, *second, *last, is_new)?;
    let paths: Vec<usize> = [*first, *second].into_iter().chain(chain).chain([*last]).collect();
    let at_end = paths.len() - 1;
    let closing = ((at_end, end.0.1), end.1);
    let mut links = vec![start];
    let mut rows = Unifier::new(model, &paths.iter().map(|path| &model.paths[*path]).collect::<Vec<_>>());
    for (from, to) in [start, closing] {
        let met = rows.meet((from.0, &rows.paths[from.0].ops[from.1]), (to.0, &rows.paths[to.0].ops[to.1]));
        if !met {
            return None;
        }
    }
    for (one, two) in (1..at_end).zip(2..) {
        let (joined, link) = join(&rows, one, two)?;
        rows = joined;
        links.push(link);
    }
    links.push(closing);
    Some((paths, links))
}

/// Lets two transactions meet where that ties the first one of all the least.
fn join<'m>(rows: &Unifier<'m>, one: usize, two: usize) -> Option<(Unifier<'m>, (At, At))> {
    let (mine, theirs) = (rows.paths[one], rows.paths[two]);
    let shared = |rows: &Unifier<'_>, at: At| {
        let var = rows.paths[at.0].ops[at.1].var;
        (0..rows.paths[0].vars.len()).any(|other| rows.same_row((0, other), (at.0, var)))
    };
    let mut best: Option<(bool, Unifier<'m>, (At, At))> = None;
    for (a, from) in mine.ops.iter().enumerate() {
        for (b, to) in theirs.ops.iter().enumerate().filter(|(_, to)| dependencies(from, to).any()) {
            let mut joined = rows.clone();
            if !joined.meet((one, from), (two, to)) {
                continue;
            }
            let ties = shared(&joined, (one, a));
            if best.as_ref().is_none_or(|(tied, ..)| *tied && !ties) {
                best = Some((ties, joined, ((one, a), (two, b))));
            }
        }
    }
    best.map(|(_, rows, link)| (rows, link))
}

/// Numbers the rows, says which predicate covers which, and which rows exist at first.
fn arrange<'m>(rows: Unifier<'m>, links: &[(At, At)], levels: &[Isolation]) -> Cast<'m> {
    let mut names: Vec<RowName> = Vec::new();
    let mut by_var: Vec<Vec<Vec<usize>>> = Vec::new();
    for (actor, path) in rows.paths.iter().enumerate() {
        let mut vars = Vec::new();
        for (number, var) in path.vars.iter().enumerate() {
            if !matches!(var.rows, RowSet::One { .. }) {
                vars.push(Vec::new());
                continue;
            }
            let known = names.iter().position(|name| name.keys.iter().any(|key| rows.same_row(*key, (actor, number))));
            let row = known.unwrap_or_else(|| {
                names.push(RowName { relation: var.relation, ..RowName::default() });
                names.len() - 1
            });
            names[row].keys.push((actor, number));
            vars.push(vec![row]);
        }
        by_var.push(vars);
    }
    know_columns(&rows, &mut names);
    meet_in_predicates(&rows, links, &mut names, &mut by_var);
    cover(&rows, &mut names, &mut by_var);
    cover_references(&rows, &names, &mut by_var);
    let present = |row: usize| exists_at_first(&rows, links, &by_var, row);
    let stage_rows = names.iter().enumerate().map(|(row, name)| (name.relation, present(row))).collect();
    let actors = rows
        .paths
        .iter()
        .enumerate()
        .map(|(actor, path)| Actor {
            path,
            level: levels[path.program],
            rows: by_var[actor].clone(),
            missing: missing(links, &rows, actor),
        })
        .collect();
    let stage = Stage { actors, rows: stage_rows };
    Cast { rows, stage, names }
}

/// What keys and inserts say of the rows' columns.
fn know_columns(rows: &Unifier<'_>, names: &mut [RowName]) {
    for name in names.iter_mut() {
        for (actor, var) in name.keys.clone() {
            let path = rows.paths[actor];
            if let RowSet::One { key, values } = &path.vars[var].rows {
                for (column, value) in key.iter().zip(values) {
                    name.columns.entry(*column).or_insert((actor, *value));
                }
            }
            for op in path.ops.iter().filter(|op| op.var == var && op.action == Action::Insert) {
                for (column, value) in &op.values {
                    name.columns.entry(*column).or_insert((actor, *value));
                }
            }
        }
    }
}

/// Two predicates that meet need a row to meet in; so does a predicate and whatever names no row by key.
fn meet_in_predicates(
    rows: &Unifier<'_>,
    links: &[(At, At)],
    names: &mut Vec<RowName>,
    by_var: &mut [Vec<Vec<usize>>],
) {
    for (from, to) in links {
        let vars = [*from, *to].map(|at| (at.0, rows.paths[at.0].ops[at.1].var));
        let is_set = |(actor, var): (usize, usize)| matches!(rows.paths[actor].vars[var].rows, RowSet::Some { .. });
        if vars.into_iter().all(is_set) {
            let row = names.len();
            let relation = rows.paths[vars[0].0].vars[vars[0].1].relation;
            names.push(RowName { relation, ..RowName::default() });
            for (actor, var) in vars {
                by_var[actor][var].push(row);
                note_predicate(rows, (actor, var), &mut names[row]);
            }
        }
    }
    for (from, to) in links {
        for (set, one) in [(*from, *to), (*to, *from)] {
            let var = rows.paths[set.0].ops[set.1].var;
            let other = by_var[one.0][rows.paths[one.0].ops[one.1].var].clone();
            let is_set = matches!(rows.paths[set.0].vars[var].rows, RowSet::Some { .. });
            if let (true, [row]) = (is_set, other.as_slice())
                && !by_var[set.0][var].contains(row)
            {
                by_var[set.0][var].push(*row);
                note_predicate(rows, (set.0, var), &mut names[*row]);
            }
        }
    }
}

fn note_predicate(rows: &Unifier<'_>, (actor, var): (usize, usize), name: &mut RowName) {
    if let RowSet::Some { equal, .. } = &rows.paths[actor].vars[var].rows {
        for (column, value) in equal {
            name.columns.entry(*column).or_insert((actor, *value));
        }
    }
}

/// Every predicate covers the rows of its relation that its conditions do not exclude.
fn cover(rows: &Unifier<'_>, names: &mut [RowName], by_var: &mut [Vec<Vec<usize>>]) {
    for (actor, path) in rows.paths.iter().enumerate() {
        for (var, set) in path.vars.iter().enumerate() {
            let RowSet::Some { equal, compared } = &set.rows else { continue };
            // What must find nothing finds nothing, but for rows that the cycle goes through, and those of `cover_references`.
            if path.ops.iter().any(|op| op.var == var && op.forbids) {
                continue;
            }
            // Nor does anybody end a row that is referred to, if the cycle can do without.
            let ends = path.ops.iter().filter(|op| op.var == var && op.ends_row());
            let checks: Vec<&Op> =
                ends.flat_map(|op| path.ops.iter().filter(|check| check.forbids && check.place == op.place)).collect();
            for row in 0..names.len() {
                let name = &names[row];
                if name.relation != set.relation || by_var[actor][var].contains(&row) {
                    continue;
                }
                if checks.iter().any(|check| names.iter().any(|child| refers(rows, check, child, name))) {
                    continue;
                }
                let known = |column: &u8| own_value(path, actor, name, *column).or(name.columns.get(column).copied());
                let agrees = |(column, value): &(u8, usize)| {
                    known(column).is_none_or(|known| same(rows, known, (actor, *value)))
                };
                let can_hold = |(column, order, value): &(u8, Order, usize)| {
                    known(column).is_none_or(|known| rows.can_hold(known, *order, (actor, *value)))
                };
                if equal.iter().all(agrees) && compared.iter().all(can_hold) {
                    by_var[actor][var].push(row);
                    note_predicate(rows, (actor, var), &mut names[row]);
                }
            }
        }
    }
}

/// What a transaction itself puts into a column of a row that it makes; another one may make the row with something else.
fn own_value(path: &Path, actor: usize, name: &RowName, column: u8) -> Option<(usize, usize)> {
    let mut makes = path.ops.iter().filter(|op| op.action == Action::Insert && name.keys.contains(&(actor, op.var)));
    makes.find_map(|op| op.values.iter().find(|(of, _)| *of == column).map(|(_, value)| (actor, *value)))
}

/// Who looks whether a row that goes is referred to comes to the rows that say so.
fn cover_references(rows: &Unifier<'_>, names: &[RowName], by_var: &mut [Vec<Vec<usize>>]) {
    for (actor, path) in rows.paths.iter().enumerate() {
        for check in path.ops.iter().filter(|op| op.forbids) {
            let ends = path.ops.iter().filter(|op| op.place == check.place && op.ends_row());
            let ended: Vec<usize> = ends.flat_map(|op| by_var[actor][op.var].clone()).collect();
            let referring = names
                .iter()
                .enumerate()
                .filter(|(_, child)| ended.iter().any(|row| refers(rows, check, child, &names[*row])));
            for (row, _) in referring {
                if !by_var[actor][check.var].contains(&row) {
                    by_var[actor][check.var].push(row);
                }
            }
        }
    }
}

/// Whether a row refers to one that goes, as far as its values are known: a column that the check looks at has the value of
/// a key.
fn refers(rows: &Unifier<'_>, check: &Op, child: &RowName, parent: &RowName) -> bool {
    let looked_at = child.columns.iter().filter(|(column, _)| check.reads & (1 << **column) != 0);
    let keys = parent.keys.iter().flat_map(|(actor, var)| match &rows.paths[*actor].vars[*var].rows {
        RowSet::One { values, .. } => values.iter().map(|value| (*actor, *value)).collect(),
        RowSet::Some { .. } => Vec::new(),
    });
    let keys: Vec<(usize, usize)> = keys.collect();
    child.relation == check.relation
        && looked_at.into_iter().any(|(_, value)| keys.iter().any(|key| same(rows, *value, *key)))
}

fn same(rows: &Unifier<'_>, one: (usize, usize), two: (usize, usize)) -> bool {
    let (one, two) = (rows.root(one.0, one.1), rows.root(two.0, two.1));
    one == two || (rows.constant(one).is_some() && rows.constant(one) == rows.constant(two))
}

/// A row exists at first unless somebody inserts it, other than after a delete that the cycle goes through.
fn exists_at_first(rows: &Unifier<'_>, links: &[(At, At)], by_var: &[Vec<Vec<usize>>], row: usize) -> bool {
    let op = |at: At| -> &Op { &rows.paths[at.0].ops[at.1] };
    let is_of = |at: At| by_var[at.0][op(at).var].contains(&row);
    let renewed = links.iter().any(|(from, to)| {
        is_of(*from) && is_of(*to) && op(*from).action == Action::Delete && op(*to).action == Action::Insert
    });
    let inserts = |actor: usize| {
        rows.paths[actor].ops.iter().any(|op| op.action == Action::Insert && by_var[actor][op.var].contains(&row))
    };
    renewed || !(0..rows.paths.len()).any(inserts)
}

/// Accesses that the cycle goes through in their first moment because of a condition: it must not hold.
fn missing(links: &[(At, At)], rows: &Unifier<'_>, actor: usize) -> Vec<usize> {
    let ends = links.iter().flat_map(|(from, to)| [(*from, *to), (*to, *from)]).filter(|(at, _)| at.0 == actor);
    ends.filter_map(|(at, other)| {
        let (op, theirs) = (&rows.paths[actor].ops[at.1], &rows.paths[other.0].ops[other.1]);
        let by_key = matches!(rows.paths[actor].vars[op.var].rows, RowSet::One { .. });
        let by_condition = op.reads & theirs.writes & !EXISTS != 0 && theirs.writes & EXISTS == 0;
        (op.action == Action::Read { looks: true } && by_key && by_condition).then_some(op.access)
    })
    .collect()
}
