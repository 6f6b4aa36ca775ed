//! `insert`, `update`, `delete` and `merge`.

use std::collections::{BTreeMap, BTreeSet};

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CmdType, DeleteStmt, InsertStmt, MergeStmt, MergeWhenClause, Node, OnConflictAction, OnConflictClause, RangeVar,
    ResTarget, ReturningClause, SelectStmt, UpdateStmt,
};

use super::builder::Builder;
use super::condition::Restricted;
use super::names::{Entry, Output, Scope};
use super::select::parse_one;
use crate::access::{AccessKind, Cause, Rows, Term};
use crate::schema::Column;
use crate::tree;

/// Rows of one `values` that are told apart; more are one access to unknown rows.
const ROWS_MAX: usize = 64;

impl Builder<'_> {
    pub(super) fn insert(&mut self, insert: &InsertStmt) -> Vec<Output> {
        let ctes = self.ctes.len();
        self.with(insert.with_clause.as_ref());
        let outputs = match insert.relation.as_ref() {
            Some(relation) => self.insert_into(insert, relation),
            None => Vec::new(),
        };
        self.ctes.truncate(ctes);
        outputs
    }

    fn insert_into(&mut self, insert: &InsertStmt, relation: &RangeVar) -> Vec<Output> {
        let target = self.write_target(relation, AccessKind::Insert);
        let columns = self.insert_columns(target, &insert.cols);
        let rows = match tree::inner(insert.select_stmt.as_deref()) {
            None => vec![vec![None; columns.len()]],
            Some(NodeEnum::SelectStmt(select)) if !select.values_lists.is_empty() => self.values(select),
            Some(NodeEnum::SelectStmt(select)) => {
                let (outputs, single) = self.select(select);
                let terms: Vec<_> = outputs.into_iter().map(|output| Some(output.term)).collect();
                self.uses[target].conditional = !select.from_clause.is_empty() || select.where_clause.is_some();
                if !single {
                    self.uses[target].rows = Some(Rows::All);
                }
                vec![terms]
            }
            Some(_) => {
                self.say(relation.location, "an insert of something that is no query", None);
                Vec::new()
            }
        };
        let unknown_rows = self.uses[target].rows.take().is_some() || rows.len() > ROWS_MAX;
        let rows = if rows.len() > ROWS_MAX { Vec::new() } else { rows };
        self.inserted_rows(target, &columns, &rows, unknown_rows);
        let targets: Vec<usize> = self.same_insert(target);
        if let Some(conflict) = insert.on_conflict_clause.as_deref() {
            self.on_conflict(&targets, conflict, relation);
        }
        self.returning(insert.returning_clause.as_ref(), target, relation)
    }

    /// The uses of one `insert`: its first, and one for every further row.
    fn same_insert(&self, target: usize) -> Vec<usize> {
        let is_same = |index: &usize| {
            *index == target
                || *index > target
                    && self.uses[*index].kind == AccessKind::Insert
                    && self.uses[*index].span == self.uses[target].span
                    && self.uses[*index].named == self.uses[target].named
        };
        (target..self.uses.len()).filter(is_same).collect()
    }

    /// The relation that is written; all its columns, of an insert or delete.
    fn write_target(&mut self, relation: &RangeVar, kind: AccessKind) -> usize {
        let name = self.relation_name(relation);
        let known = self.schema().relations.get(&name);
        if known.is_some_and(crate::schema::Relation::is_view) {
            let why = format!("writes through the view \"{}\" are not analysed", relation.relname);
            self.say(relation.location, why, Some("name the view's table in the statement"));
        }
        let index = self.add_use(name, kind, self.place(relation.location));
        if kind != AccessKind::Update {
            let all = known.into_iter().flat_map(|relation| &relation.columns).map(|column| column.name.clone());
            self.uses[index].writes = all.collect();
        }
        index
    }

    fn insert_columns(&mut self, target: usize, named: &[Node]) -> Vec<String> {
        if named.is_empty() {
            let columns = self.relation_of(target).map(|relation| relation.columns.as_slice()).unwrap_or_default();
            return columns.iter().map(|column| column.name.clone()).collect();
        }
        named
            .iter()
            .filter_map(|column| match &column.node {
                Some(NodeEnum::ResTarget(column)) => {
                    self.written(target, column);
                    Some(column.name.clone())
                }
                _ => None,
            })
            .collect()
    }

    /// Takes note of a written column; says so when there is none of that name.
    fn written(&mut self, target: usize, column: &ResTarget) {
        self.all(&column.indirection);
        if self.relation_of(target).is_some_and(|relation| relation.column(&column.name).is_none()) {
            let relation = self.uses[target].named.name().to_owned();
            let why = format!("column \"{}\" of relation \"{relation}\" does not exist", column.name);
            self.say(column.location, why, Some("is the schema complete?"));
        }
        self.uses[target].writes.insert(column.name.clone());
    }

    /// The terms of `values`, row by row; `None` where the column's default is asked for.
    fn values(&mut self, select: &SelectStmt) -> Vec<Vec<Option<Term>>> {
        let mut rows = Vec::new();
        for row in &select.values_lists {
            let Some(NodeEnum::List(row)) = &row.node else { continue };
            let mut terms = Vec::new();
            for value in &row.items {
                let Some(value) = &value.node else { continue };
                let is_default = matches!(value, NodeEnum::SetToDefault(_));
                terms.push((!is_default).then(|| self.term(value).unwrap_or(Term::Unknown)));
                self.expression(value);
            }
            rows.push(terms);
        }
        rows
    }

    fn inserted_rows(&mut self, target: usize, columns: &[String], rows: &[Vec<Option<Term>>], unknown: bool) {
        let is_given = |(at, _): &(usize, &String)| rows.iter().all(|row| matches!(row.get(*at), None | Some(Some(_))));
        let given: Vec<String> =
            columns.iter().enumerate().filter(is_given).map(|(_, column)| column.clone()).collect();
        self.defaults(target, &given);
        self.computed(target);
        self.uses[target].given = columns.iter().cloned().collect();
        for (at, row) in rows.iter().enumerate() {
            let index = if at == 0 {
                target
            } else {
                let copy = self.uses[target].clone();
                self.uses.push(copy);
                self.uses.len() - 1
            };
            let given = columns.iter().cloned().zip(row.iter().cloned());
            let values: BTreeMap<String, Term> = given
                .filter_map(|(column, term)| Some((column, term?)))
                .filter(|(_, term)| *term != Term::Unknown)
                .collect();
            self.uses[index].rows = Some(if unknown { Rows::All } else { self.inserted(index, &values) });
            for (column, term) in &values {
                self.bind(index, column, term.clone());
            }
            self.uses[index].values = values;
        }
        if rows.is_empty() {
            self.uses[target].rows = Some(Rows::All);
        }
    }

    /// The row of an insert: one row, by the key of which most is known.
    fn inserted(&self, index: usize, values: &BTreeMap<String, Term>) -> Rows {
        let keys = self.relation_of(index).map(|relation| relation.keys.as_slice()).unwrap_or_default();
        let unknown = |columns: &[String]| columns.iter().filter(|column| !values.contains_key(*column)).count();
        let unconditional = keys.iter().filter(|key| key.predicate.is_none());
        let Some(key) = unconditional.min_by_key(|key| unknown(&key.columns)) else {
            let (columns, equal) = (values.keys().cloned().collect(), values.clone());
            return Rows::Where { columns, equal, compared: BTreeSet::new() };
        };
        let term = |column: &String| values.get(column).cloned().unwrap_or(Term::Unknown);
        Rows::one(key.columns.clone(), key.columns.iter().map(term).collect())
    }

    /// Defaults of columns that the insert does not name may call functions.
    fn defaults(&mut self, target: usize, given: &[String]) {
        let Some(relation) = self.relation_of(target) else { return };
        for column in relation.columns.iter().filter(|column| !given.contains(&column.name)) {
            self.default_of(column);
        }
    }

    fn default_of(&mut self, column: &Column) {
        let Some(default) = &column.default else { return };
        match parse_one(&format!("select {default}")) {
            Some(query) => drop(self.query(&query)),
            None => self.say(-1, format!("the default of \"{}\" is not understood", column.name), None),
        }
    }

    fn on_conflict(&mut self, inserts: &[usize], conflict: &OnConflictClause, relation: &RangeVar) {
        let Some(first) = inserts.first().copied() else { return };
        let keys = self.conflict_keys(first, conflict);
        let is_update = conflict.action() == OnConflictAction::OnconflictUpdate;
        let kind = if is_update { AccessKind::Update } else { AccessKind::Read };
        let named = self.uses[first].named.clone();
        let span = self.place(conflict.location);
        let mut looked_at = Vec::new();
        for insert in inserts {
            for key in &keys {
                let index = self.add_use(named.clone(), kind, span.clone());
                let values = self.uses[*insert].values.clone();
                let term = |column: &String| values.get(column).cloned().unwrap_or(Term::Unknown);
                let used = &mut self.uses[index];
                used.cause = Cause::OnConflict;
                used.conditional = is_update;
                used.reads.extend(key.iter().cloned());
                used.rows = Some(Rows::one(key.clone(), key.iter().map(term).collect()));
                looked_at.push(index);
            }
        }
        if looked_at.is_empty() {
            self.say(
                conflict.location,
                "`on conflict` on a table without a known key",
                Some("add the key to the schema"),
            );
            let index = self.add_use(named, kind, span);
            self.uses[index].cause = Cause::OnConflict;
            looked_at.push(index);
        }
        if !is_update {
            return;
        }
        let Some(index) = looked_at.first().copied() else { return };
        let alias = relation.alias.as_ref().map_or(&relation.relname, |alias| &alias.aliasname);
        let row = Entry::relation(alias, index, self.named_columns(index, &[]));
        let outputs = self.named_columns(index, &[]);
        let values = self.uses[first].values.clone();
        let one_row = inserts.len() == 1;
        let excluded = outputs.into_iter().map(|(name, column)| Output {
            name,
            origin: None,
            term: values.get(&column).filter(|_| one_row).cloned().unwrap_or(Term::Unknown),
        });
        let excluded = Entry { qualified_only: true, ..Entry::derived("excluded", excluded.collect(), true) };
        self.scopes.push(Scope { entries: vec![row, excluded] });
        self.assignments(index, &conflict.target_list);
        self.maybe_condition(conflict.where_clause.as_deref(), &Restricted::new());
        self.scopes.pop();
        let done = self.uses[index].clone();
        for other in looked_at.into_iter().skip(1) {
            let used = &mut self.uses[other];
            used.reads.extend(done.reads.iter().cloned());
            used.writes.clone_from(&done.writes);
            used.values.clone_from(&done.values);
        }
    }

    /// The keys whose conflicts count: of the columns or constraint that `on conflict` names, else all.
    fn conflict_keys(&mut self, target: usize, conflict: &OnConflictClause) -> Vec<Vec<String>> {
        let keys = self.relation_of(target).map(|relation| relation.keys.as_slice()).unwrap_or_default();
        let Some(infer) = conflict.infer.as_deref() else {
            return keys.iter().map(|key| key.columns.clone()).collect();
        };
        if !infer.conname.is_empty() {
            return keys.iter().filter(|key| key.name == infer.conname).map(|key| key.columns.clone()).collect();
        }
        let mut columns = Vec::new();
        for element in &infer.index_elems {
            match &element.node {
                Some(NodeEnum::IndexElem(element)) if !element.name.is_empty() => columns.push(element.name.clone()),
                _ => return Vec::new(),
            }
        }
        vec![columns]
    }

    /// `set a = …, (b, c) = …`.
    pub(super) fn assignments(&mut self, target: usize, assignments: &[Node]) {
        for assignment in assignments {
            let Some(NodeEnum::ResTarget(assignment)) = &assignment.node else { continue };
            self.written(target, assignment);
            let Some(value) = tree::inner(assignment.val.as_deref()) else { continue };
            let term = if assignment.indirection.is_empty() { self.term(value) } else { None };
            match value {
                // The source stands behind the first column of the list; further ones only point to it.
                NodeEnum::MultiAssignRef(multiple) if multiple.colno > 1 => {}
                NodeEnum::SetToDefault(_) => {
                    let column = self.relation_of(target).and_then(|relation| relation.column(&assignment.name));
                    if let Some(column) = column {
                        self.default_of(column);
                    }
                }
                _ => self.expression(value),
            }
            if !assignment.indirection.is_empty() {
                // A part of an array or row keeps the rest of it.
                self.touch((target, assignment.name.clone()));
            }
            if let Some(term) = term.filter(|term| *term != Term::Unknown) {
                self.uses[target].values.insert(assignment.name.clone(), term);
            }
        }
        self.generated(target);
        self.computed(target);
    }

    /// Stored generated columns are computed anew when something that they are made of is written; the rest of it is read.
    fn generated(&mut self, target: usize) {
        let Some(relation) = self.relation_of(target) else { return };
        for column in &relation.columns {
            let Some(query) = column.generated.as_ref().and_then(|text| parse_one(&format!("select {text}"))) else {
                continue;
            };
            let before = self.uses[target].reads.clone();
            self.uses[target].reads.clear();
            self.scopes.push(Scope { entries: vec![Entry::relation("", target, self.named_columns(target, &[]))] });
            self.query(&query);
            self.scopes.pop();
            let made_of = std::mem::replace(&mut self.uses[target].reads, before);
            if !made_of.is_disjoint(&self.uses[target].writes) {
                let read: Vec<String> = made_of.difference(&self.uses[target].writes).cloned().collect();
                self.uses[target].reads.extend(read);
                self.uses[target].writes.insert(column.name.clone());
            }
        }
    }

    /// Expressions that are computed whenever a row is written: of check constraints, of indexes, of generated columns. A
    /// check that looks at written columns reads the others of the row, and functions in any of them do what they do.
    fn computed(&mut self, target: usize) {
        let Some(relation) = self.relation_of(target) else { return };
        let is_insert = self.uses[target].kind == AccessKind::Insert;
        let generated = relation.columns.iter().filter_map(|column| column.generated.as_ref()).filter(|_| is_insert);
        let of_rows = generated.chain(&relation.index_expressions).map(|text| (text, false));
        for (text, decides) in of_rows.chain(relation.checks.iter().map(|text| (text, true))) {
            let Some(query) = parse_one(&format!("select {text}")) else {
                self.say(-1, format!("the expression {text} of the table is not understood"), None);
                continue;
            };
            let before = std::mem::take(&mut self.uses[target].reads);
            let name = self.uses[target].named.name().to_owned();
            self.scopes.push(Scope { entries: vec![Entry::relation(&name, target, self.named_columns(target, &[]))] });
            self.query(&query);
            self.scopes.pop();
            let made_of = std::mem::replace(&mut self.uses[target].reads, before);
            if decides && !is_insert && !made_of.is_disjoint(&self.uses[target].writes) {
                let read: Vec<String> = made_of.difference(&self.uses[target].writes).cloned().collect();
                self.uses[target].reads.extend(read);
            }
        }
    }

    pub(super) fn update(&mut self, update: &UpdateStmt) -> Vec<Output> {
        let ctes = self.ctes.len();
        self.with(update.with_clause.as_ref());
        let Some(relation) = update.relation.as_ref() else { return Vec::new() };
        let target = self.write_target(relation, AccessKind::Update);
        let restricted = self.enter_target(target, relation, &update.from_clause);
        self.maybe_condition(update.where_clause.as_deref(), &restricted);
        self.assignments(target, &update.target_list);
        let outputs = self.returned(update.returning_clause.as_ref());
        self.scopes.pop();
        self.ctes.truncate(ctes);
        outputs
    }

    pub(super) fn delete(&mut self, delete: &DeleteStmt) -> Vec<Output> {
        let ctes = self.ctes.len();
        self.with(delete.with_clause.as_ref());
        let Some(relation) = delete.relation.as_ref() else { return Vec::new() };
        let target = self.write_target(relation, AccessKind::Delete);
        let restricted = self.enter_target(target, relation, &delete.using_clause);
        self.maybe_condition(delete.where_clause.as_deref(), &restricted);
        let outputs = self.returned(delete.returning_clause.as_ref());
        self.scopes.pop();
        self.ctes.truncate(ctes);
        outputs
    }

    /// Opens a level with the target and what is joined to it.
    fn enter_target(&mut self, target: usize, relation: &RangeVar, joined: &[Node]) -> Restricted {
        let alias = relation.alias.as_ref().map_or(&relation.relname, |alias| &alias.aliasname);
        let names = self.named_columns(target, &[]);
        self.scopes.push(Scope { entries: vec![Entry::relation(alias, target, names)] });
        let mut restricted = Restricted::from([target]);
        self.uses[target].may_miss |= !joined.is_empty();
        for item in joined {
            restricted.extend(self.table_item(item));
        }
        restricted
    }

    fn returning(&mut self, clause: Option<&ReturningClause>, target: usize, relation: &RangeVar) -> Vec<Output> {
        self.enter_target(target, relation, &[]);
        let values = self.uses[target].values.clone();
        let mut outputs = self.returned(clause);
        self.scopes.pop();
        // What an insert returns of its own row is what it wrote.
        for output in &mut outputs {
            if let Some((_, column)) = &output.origin {
                output.term = values.get(column).cloned().unwrap_or(Term::Unknown);
            }
        }
        outputs
    }

    fn returned(&mut self, clause: Option<&ReturningClause>) -> Vec<Output> {
        let Some(clause) = clause else { return Vec::new() };
        // `returning old.a, new.a`: both are versions of the target's row.
        if let Some(scope) = self.scopes.last_mut()
            && let Some(target) = scope.entries.first().cloned()
        {
            for alias in ["old", "new"] {
                scope.entries.push(Entry { alias: alias.to_owned(), qualified_only: true, ..target.clone() });
            }
        }
        self.targets(&clause.exprs)
    }

    pub(super) fn merge(&mut self, merge: &MergeStmt) -> Vec<Output> {
        let ctes = self.ctes.len();
        self.with(merge.with_clause.as_ref());
        let Some(relation) = merge.relation.as_ref() else { return Vec::new() };
        let target = self.write_target(relation, AccessKind::Update);
        self.uses[target].kind = AccessKind::Read;
        let source: &[Node] = merge.source_relation.as_deref().map_or(&[], std::slice::from_ref);
        let restricted = self.enter_target(target, relation, source);
        // Rows of the source without a partner are inserted, so the condition restricts the target alone.
        let only_target = Restricted::from([target]);
        self.maybe_condition(merge.join_condition.as_deref(), &only_target);
        let _ = restricted;
        let matched_only = merge.merge_when_clauses.iter().all(|clause| match &clause.node {
            Some(NodeEnum::MergeWhenClause(clause)) => {
                clause.match_kind() != pg_query::protobuf::MergeMatchKind::MergeWhenNotMatchedBySource
            }
            _ => false,
        });
        if !matched_only {
            // `when not matched by source` looks at every row of the target.
            self.links.retain(|link| link.to.0 != target);
            self.uses[target].rows = Some(Rows::All);
        }
        for clause in &merge.merge_when_clauses {
            if let Some(NodeEnum::MergeWhenClause(clause)) = &clause.node {
                self.merge_when(target, clause);
            }
        }
        let outputs = self.returned(merge.returning_clause.as_ref());
        self.scopes.pop();
        self.ctes.truncate(ctes);
        outputs
    }

    /// One `when … then`: an access of its own, which happens only on that condition.
    fn merge_when(&mut self, target: usize, clause: &MergeWhenClause) {
        self.maybe_condition(clause.condition.as_deref(), &Restricted::new());
        let kind = match clause.command_type() {
            CmdType::CmdUpdate => AccessKind::Update,
            CmdType::CmdDelete => AccessKind::Delete,
            CmdType::CmdInsert => AccessKind::Insert,
            _ => return,
        };
        let index = self.add_use(self.uses[target].named.clone(), kind, self.uses[target].span.clone());
        self.uses[index].conditional = true;
        self.uses[index].rows = self.uses[target].rows.clone();
        let all: Vec<String> = self.named_columns(index, &[]).into_iter().map(|(_, column)| column).collect();
        match kind {
            AccessKind::Update => {
                self.assignments(index, &clause.target_list);
                self.same_rows(target, index);
            }
            AccessKind::Delete => {
                self.uses[index].writes.extend(all);
                self.same_rows(target, index);
            }
            _ => {
                let columns = self.insert_columns(index, &clause.target_list);
                self.uses[index].writes.extend(all);
                let mut row = Vec::new();
                for value in &clause.values {
                    let Some(value) = &value.node else { continue };
                    row.push(Some(self.term(value).unwrap_or(Term::Unknown)));
                    self.expression(value);
                }
                self.inserted_rows(index, &columns, &[row], true);
            }
        }
    }

    /// A further access to the rows that another use is about.
    fn same_rows(&mut self, from: usize, to: usize) {
        let predicate = self.uses[from].predicate.clone();
        self.uses[to].predicate.extend(predicate);
        let copies: Vec<_> = self.links.iter().filter(|link| link.to.0 == from).cloned().collect();
        for mut link in copies {
            link.to.0 = to;
            self.links.push(link);
        }
    }
}
