//! Queries: their tables, joins, `with`, set operations, and row locks.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    Alias, JoinExpr, JoinType, LockClauseStrength, LockWaitPolicy, LockingClause, Node, RangeFunction, RangeSubselect,
    RangeVar, ResTarget, SelectStmt, SetOperation, WithClause,
};

use super::builder::{Builder, Source, root};
use super::condition::Restricted;
use super::names::{Columns, Cte, EVERYTHING, Entry, Meaning, Output, Scope};
use crate::access::{AccessKind, Cause, LockStrength, Term};
use crate::name::RelationName;
use crate::schema::RelationKind;
use crate::tree;

/// Schemas of the server's own tables.
const CATALOGUES: [&str; 3] = ["pg_catalog", "information_schema", "pg_toast"];

impl Builder<'_> {
    /// A query inside another statement: a `select`, or a statement with `returning` in a `with`.
    pub fn query(&mut self, node: &NodeEnum) -> Vec<Output> {
        match node {
            NodeEnum::SelectStmt(select) => self.select(select).0,
            other => self.statement(other),
        }
    }

    /// A `select`; tells its columns, and whether it has at most one row.
    pub fn select(&mut self, select: &SelectStmt) -> (Vec<Output>, bool) {
        let ctes = self.ctes.len();
        self.with(select.with_clause.as_ref());
        let result = if select.op() == SetOperation::SetopNone || select.larg.is_none() {
            self.simple_select(select)
        } else {
            (self.set_operation(select), false)
        };
        self.ctes.truncate(ctes);
        result
    }

    fn set_operation(&mut self, select: &SelectStmt) -> Vec<Output> {
        let left = select.larg.as_deref().map(|left| self.select(left).0).unwrap_or_default();
        if let Some(right) = select.rarg.as_deref() {
            self.select(right);
        }
        let outputs: Vec<Output> = left.into_iter().map(Output::anonymous).collect();
        let entry = Entry::derived("", outputs.clone(), false);
        self.scopes.push(Scope { entries: vec![entry] });
        self.all(&select.sort_clause);
        self.maybe(select.limit_count.as_deref());
        self.maybe(select.limit_offset.as_deref());
        self.scopes.pop();
        outputs
    }

    fn simple_select(&mut self, select: &SelectStmt) -> (Vec<Output>, bool) {
        self.scopes.push(Scope::default());
        let mut restricted = Restricted::new();
        for item in &select.from_clause {
            restricted.extend(self.from_item(item));
        }
        self.maybe_condition(select.where_clause.as_deref(), &restricted);
        let mut outputs = self.targets(&select.target_list);
        for values in &select.values_lists {
            self.maybe(Some(values));
        }
        outputs.extend(value_columns(select));
        self.with_output_names(&outputs, |builder| {
            builder.all(&select.group_clause);
            builder.all(&select.sort_clause);
            builder.all(&select.distinct_clause);
        });
        self.maybe(select.having_clause.as_deref());
        self.all(&select.window_clause);
        self.maybe(select.limit_count.as_deref());
        self.maybe(select.limit_offset.as_deref());
        for clause in &select.locking_clause {
            if let Some(NodeEnum::LockingClause(clause)) = &clause.node {
                self.lock(clause);
            }
        }
        self.scopes.pop();
        let aggregates = select.target_list.iter().any(is_aggregate) || select.having_clause.is_some();
        let limited = is_one(select.limit_count.as_deref());
        let single = limited || aggregates && select.group_clause.is_empty() || is_single_row(select);
        let passes = !aggregates
            && !limited
            && select.limit_count.is_none()
            && select.limit_offset.is_none()
            && select.group_clause.is_empty()
            && select.distinct_clause.is_empty()
            && select.window_clause.is_empty()
            && (self.scopes.is_empty() || !select.target_list.iter().any(has_window));
        if !passes {
            outputs = outputs.into_iter().map(Output::anonymous).collect();
        }
        (outputs, single)
    }

    /// `order by` and `group by` may name outputs; those have been read already.
    fn with_output_names(&mut self, outputs: &[Output], walk: impl FnOnce(&mut Self)) {
        let unnamed = |output: &Output| Output { term: Term::Unknown, origin: None, ..output.clone() };
        let mut entry = Entry::derived("", outputs.iter().map(unnamed).collect(), false);
        // A column of a table comes before an output in `group by`, an output before a column in `order by`: either way
        // what is read has been taken note of, for the output's expression is read as well.
        if let Columns::Derived { outputs, .. } = &mut entry.columns {
            outputs.retain(|output| output.name != EVERYTHING && output.name != "?column?");
        }
        let scope = self.scopes.last_mut();
        if let Some(scope) = scope {
            scope.entries.push(entry);
        }
        walk(self);
        if let Some(scope) = self.scopes.last_mut() {
            scope.entries.pop();
        }
    }

    /// A target list, or `returning`: its columns are read, and named as the server names them.
    pub fn targets(&mut self, targets: &[Node]) -> Vec<Output> {
        let mut outputs = Vec::new();
        for target in targets {
            let Some(NodeEnum::ResTarget(target)) = &target.node else {
                self.maybe(Some(target));
                continue;
            };
            self.target(target, &mut outputs);
        }
        outputs
    }

    fn target(&mut self, target: &ResTarget, outputs: &mut Vec<Output>) {
        let Some(value) = tree::inner(target.val.as_deref()) else { return };
        if let NodeEnum::ColumnRef(reference) = value {
            if matches!(reference.fields.last().map(|field| &field.node), Some(Some(NodeEnum::AStar(_)))) {
                let qualifier = tree::strings(&reference.fields);
                outputs.extend(self.expand(&qualifier, reference.location));
                return;
            }
            let meaning = self.column(reference);
            let last = tree::strings(&reference.fields).pop().unwrap_or_default();
            let name = if target.name.is_empty() { last } else { target.name.clone() };
            let (origin, term) = match meaning {
                Meaning::Used(column) => (Some(column), Term::Unknown),
                Meaning::Derived(term) => (None, term),
                Meaning::Nothing => (None, Term::Unknown),
            };
            outputs.push(Output { name, origin, term });
            return;
        }
        let term = self.term(value).unwrap_or(Term::Unknown);
        self.expression(value);
        let name = if target.name.is_empty() { usual_name(value) } else { target.name.clone() };
        outputs.push(Output { name, origin: None, term });
    }

    /// `with`: its queries, whose names are visible until the caller forgets them.
    pub fn with(&mut self, clause: Option<&WithClause>) {
        let Some(clause) = clause else { return };
        for each in &clause.ctes {
            let Some(NodeEnum::CommonTableExpr(cte)) = &each.node else { continue };
            let Some(query) = tree::inner(cte.ctequery.as_deref()) else { continue };
            let aliases = tree::strings(&cte.aliascolnames);
            if clause.recursive {
                let outputs = recursive_columns(self, query, &aliases);
                self.ctes.push(Cte { name: cte.ctename.clone(), outputs, single: false });
            }
            let (outputs, single) = match query {
                NodeEnum::SelectStmt(select) => self.select(select),
                other => (self.statement(other), false),
            };
            if clause.recursive {
                self.ctes.pop();
            }
            // A `with` may be read several times, so a condition on one of its columns does not restrict its tables.
            let outputs = outputs.into_iter().map(Output::anonymous).collect();
            self.ctes.push(Cte { name: cte.ctename.clone(), outputs: renamed(outputs, &aliases), single });
        }
    }

    /// Something in `from`; tells the uses whose rows a condition on it restricts.
    pub fn from_item(&mut self, item: &Node) -> Restricted {
        match &item.node {
            Some(NodeEnum::RangeVar(relation)) => self.range_var(relation),
            Some(NodeEnum::JoinExpr(join)) => self.join(join),
            Some(NodeEnum::RangeSubselect(subselect)) => self.range_subselect(subselect),
            Some(NodeEnum::RangeFunction(function)) => {
                self.range_function(function);
                Restricted::new()
            }
            Some(NodeEnum::RangeTableSample(sample)) => {
                self.all(&sample.args);
                sample.relation.as_deref().map(|relation| self.from_item(relation)).unwrap_or_default()
            }
            Some(other) => {
                self.expression(other);
                self.enter(Entry { columns: Columns::Unknown, ..Entry::derived("", Vec::new(), false) });
                Restricted::new()
            }
            None => Restricted::new(),
        }
    }

    /// Makes an entry visible at the present level.
    pub fn enter(&mut self, entry: Entry) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.entries.push(entry);
        }
    }

    fn range_var(&mut self, relation: &RangeVar) -> Restricted {
        self.seen.insert(relation.location);
        let alias = relation.alias.as_ref().map_or(&relation.relname, |alias| &alias.aliasname);
        let names: &[Node] = relation.alias.as_ref().map_or(&[], |alias| &alias.colnames);
        if relation.schemaname.is_empty()
            && let Some(cte) = self.ctes.iter().rev().find(|cte| cte.name == relation.relname)
        {
            let outputs = renamed(cte.outputs.clone(), &tree::strings(names));
            let entry = Entry::derived(alias, outputs, cte.single);
            self.enter(entry);
            return Restricted::new();
        }
        let Some(name) = self.relation_name(relation) else { return Restricted::new() };
        if self.schema().relations.get(&name).is_some_and(|relation| relation.kind == RelationKind::View) {
            return self.view(&name, alias, names, relation.location);
        }
        let index = self.add_use(name, AccessKind::Read, self.place(relation.location));
        let names = self.named_columns(index, names);
        self.enter(Entry::relation(alias, index, names));
        Restricted::from([index])
    }

    /// The relation that a name means; says so when the schema does not have it. Nothing for the server's own tables,
    /// which the analysis does not follow.
    pub fn relation_name(&mut self, relation: &RangeVar) -> Option<RelationName> {
        self.seen.insert(relation.location);
        let schema = tree::schema_of(relation);
        if let Some((name, known)) = self.schema().resolve(schema, &relation.relname) {
            let (name, rules, policies) = (name.clone(), known.has_rules, known.has_policies);
            if rules {
                self.say(relation.location, format!("rules of \"{}\" are not analysed", relation.relname), None);
            }
            if policies {
                let why = format!("row-level security policies of \"{}\" are not analysed", relation.relname);
                self.say(relation.location, why, None);
            }
            return Some(name);
        }
        let is_catalogue = schema.is_some_and(|schema| CATALOGUES.contains(&schema))
            || schema.is_none() && relation.relname.starts_with("pg_");
        let why = if is_catalogue {
            format!("\"{}\" is the server's own; what changes it is not analysed", relation.relname)
        } else {
            format!("relation \"{}\" does not exist", relation.relname)
        };
        let hint = if is_catalogue { None } else { Some("add its `create table` to the schema") };
        self.say(relation.location, why, hint);
        let default = self.schema().search_path.first().map_or(crate::name::DEFAULT_SCHEMA, String::as_str);
        let schema = schema.unwrap_or(if is_catalogue { "pg_catalog" } else { default });
        Some(RelationName::in_schema(schema, &relation.relname))
    }

    /// A view stands for its query.
    fn view(&mut self, name: &RelationName, alias: &str, names: &[Node], location: i32) -> Restricted {
        let view = self.schema().relations.get(name);
        let query = view.and_then(|view| view.query.as_deref()).and_then(parse_one);
        let Some(query) = query else {
            self.say(location, format!("the query of the view \"{}\" is not known", name.name()), None);
            self.enter(Entry { columns: Columns::Unknown, ..Entry::derived(alias, Vec::new(), false) });
            return Restricted::new();
        };
        // Ten views in views are a ring that a server would have refused.
        if self.scopes.len() > super::CALLS_MAX * 4 {
            self.say(location, format!("the view \"{}\" goes too deep", name.name()), None);
            return Restricted::new();
        }
        let (first, said) = (self.uses.len(), self.unanalysed.len());
        let outer = std::mem::replace(&mut self.cause, Cause::View(name.to_string()));
        let (scopes, ctes) = (std::mem::take(&mut self.scopes), std::mem::take(&mut self.ctes));
        self.scopes.extend(scopes.iter().map(|_| Scope::default()));
        let (outputs, single) = match &query {
            NodeEnum::SelectStmt(select) => self.select(select),
            _ => (Vec::new(), false),
        };
        self.scopes = scopes;
        self.ctes = ctes;
        self.cause = outer;
        let span = self.place(location);
        for used in &mut self.uses[first..] {
            used.span.clone_from(&span);
        }
        for said in &mut self.unanalysed[said..] {
            said.span.clone_from(&span);
        }
        let columns = view.map(|view| view.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>());
        let outputs = renamed(renamed(outputs, &columns.unwrap_or_default()), &tree::strings(names));
        self.derived(alias, outputs, single, first)
    }

    fn range_subselect(&mut self, subselect: &RangeSubselect) -> Restricted {
        let (alias, names) = alias_of(subselect.alias.as_ref());
        let first = self.uses.len();
        // Without `lateral`, a query in `from` does not see its neighbours.
        let hidden = if subselect.lateral { None } else { self.scopes.last_mut().map(std::mem::take) };
        let (outputs, single) = match tree::inner(subselect.subquery.as_deref()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            _ => (Vec::new(), false),
        };
        if let (Some(hidden), Some(scope)) = (hidden, self.scopes.last_mut()) {
            *scope = hidden;
        }
        self.derived(&alias, renamed(outputs, &names), single, first)
    }

    fn derived(&mut self, alias: &str, outputs: Vec<Output>, single: bool, first: usize) -> Restricted {
        let origins = outputs.iter().filter_map(|output| output.origin.as_ref());
        let restricted = origins.map(|(index, _)| *index).filter(|index| *index >= first).collect();
        let lockable = (first..self.uses.len()).collect();
        self.enter(Entry { lockable, ..Entry::derived(alias, outputs, single) });
        restricted
    }

    fn range_function(&mut self, function: &RangeFunction) {
        let (alias, names) = alias_of(function.alias.as_ref());
        let mut called = None;
        for item in &function.functions {
            let parts = match &item.node {
                Some(NodeEnum::List(list)) => list.items.as_slice(),
                _ => std::slice::from_ref(item),
            };
            if let Some(NodeEnum::FuncCall(call)) = parts.first().and_then(|part| part.node.as_ref()) {
                called = tree::strings(&call.funcname).pop();
            }
            self.all(parts);
        }
        let definitions = function.coldeflist.iter().filter_map(|definition| match &definition.node {
            Some(NodeEnum::ColumnDef(column)) => Some(column.colname.clone()),
            _ => None,
        });
        let mut columns: Vec<String> = definitions.collect();
        if columns.is_empty() {
            columns = names;
        }
        let called = called.unwrap_or_default();
        let alias = if alias.is_empty() { called } else { alias };
        // How many columns a function has is not known; its alias is one of their names.
        if columns.is_empty() {
            columns = vec![alias.clone(), EVERYTHING.to_owned()];
        }
        let output = |name| Output { name, origin: None, term: Term::Unknown };
        self.enter(Entry::derived(&alias, columns.into_iter().map(output).collect(), false));
    }

    fn join(&mut self, join: &JoinExpr) -> Restricted {
        let entries = |builder: &Self| builder.scopes.last().map_or(0, |scope| scope.entries.len());
        let first = entries(self);
        let left = join.larg.as_deref().map(|left| self.from_item(left)).unwrap_or_default();
        let second = entries(self);
        let right = join.rarg.as_deref().map(|right| self.from_item(right)).unwrap_or_default();
        let both: Restricted = left.union(&right).copied().collect();
        let restricted = match join.jointype() {
            JoinType::JoinInner => both.clone(),
            JoinType::JoinLeft => right,
            JoinType::JoinRight => left,
            _ => Restricted::new(),
        };
        self.maybe_condition(join.quals.as_deref(), &restricted);
        let mut using = tree::strings(&join.using_clause);
        if join.is_natural {
            using = self.common_columns(first, second);
        }
        for column in &using {
            self.using(column, (first, second), &restricted);
        }
        if let Some(alias) = &join.alias {
            self.join_alias(alias, first);
        }
        both
    }

    /// `using (column)`: equal on both sides, and afterwards one column.
    fn using(&mut self, column: &str, (first, second): (usize, usize), restricted: &Restricted) {
        let Some(scope) = self.scopes.last() else { return };
        let find = |entries: &[Entry]| entries.iter().find_map(|entry| entry.find(column));
        let (left, right) = (find(&scope.entries[first..second]), find(&scope.entries[second..]));
        for meaning in [&left, &right].into_iter().flatten() {
            if let Meaning::Used(used) = meaning {
                self.touch(used.clone());
                if restricted.contains(&used.0) {
                    self.uses[used.0].predicate.insert(used.1.clone());
                }
            }
        }
        self.equal(left.and_then(Meaning::source), right.and_then(Meaning::source), restricted);
    }

    fn common_columns(&self, first: usize, second: usize) -> Vec<String> {
        let Some(scope) = self.scopes.last() else { return Vec::new() };
        let names = |entries: &[Entry]| entries.iter().flat_map(Entry::names).collect::<BTreeSet<_>>();
        let (left, right) = (names(&scope.entries[first..second]), names(&scope.entries[second..]));
        left.intersection(&right).cloned().collect()
    }

    /// `(a join b) as j`: hides the names inside.
    fn join_alias(&mut self, alias: &Alias, first: usize) {
        let Some(scope) = self.scopes.last_mut() else { return };
        let inside = scope.entries.split_off(first);
        let lockable = inside.iter().flat_map(|entry| entry.lockable.clone()).collect();
        let outputs = inside.iter().flat_map(Entry::outputs).collect();
        let outputs = renamed(outputs, &tree::strings(&alias.colnames));
        scope.entries.push(Entry { lockable, ..Entry::derived(&alias.aliasname, outputs, false) });
    }

    /// `for update` and its like.
    fn lock(&mut self, clause: &LockingClause) {
        let strength = match clause.strength() {
            LockClauseStrength::LcsForkeyshare => LockStrength::KeyShare,
            LockClauseStrength::LcsForshare => LockStrength::Share,
            LockClauseStrength::LcsFornokeyupdate => LockStrength::NoKeyUpdate,
            _ => LockStrength::Update,
        };
        let mut wanted = Vec::new();
        for relation in &clause.locked_rels {
            if let Some(NodeEnum::RangeVar(relation)) = &relation.node {
                self.seen.insert(relation.location);
                wanted.push(relation.relname.clone());
            }
        }
        let entries = self.scopes.last().map(|scope| scope.entries.as_slice()).unwrap_or_default();
        let locked = entries.iter().filter(|entry| wanted.is_empty() || wanted.contains(&entry.alias));
        let locked: Vec<usize> = locked.flat_map(|entry| entry.lockable.clone()).collect();
        for index in locked {
            let used = &mut self.uses[index];
            used.kind = match used.kind {
                AccessKind::Read => AccessKind::Lock(strength),
                AccessKind::Lock(already) => AccessKind::Lock(already.max(strength)),
                other => other,
            };
            used.conditional |= clause.wait_policy() == LockWaitPolicy::LockWaitSkip;
        }
    }

    /// Equalities that an `on conflict` or a foreign key brings: a use's column with a term.
    pub fn bind(&mut self, index: usize, column: &str, term: Term) {
        self.link(Source::Term(term), (index, column.to_owned()));
    }

    /// The root of a relation's tree.
    pub fn root_of(&self, name: &RelationName) -> RelationName {
        root(self.schema(), name)
    }
}

/// The one statement of a text that was parsed before.
pub fn parse_one(text: &str) -> Option<NodeEnum> {
    let tree = crate::grammar::native::parse(text, crate::grammar::Mode::Statements).ok()?;
    tree.stmts.into_iter().next()?.stmt?.node
}

/// The columns of a recursive query, told from the part that does not recurse.
fn recursive_columns(builder: &Builder<'_>, query: &NodeEnum, aliases: &[String]) -> Vec<Output> {
    if let NodeEnum::SelectStmt(select) = query
        && let Some(left) = select.larg.as_deref()
    {
        let nowhere = |_| crate::position::Span::default();
        let mut fresh = Builder::new(super::Surroundings { place: &nowhere, ..builder.surroundings });
        fresh.ctes.clone_from(&builder.ctes);
        let outputs = fresh.select(left).0.into_iter().map(Output::anonymous).collect();
        return renamed(outputs, aliases);
    }
    let output = |name: &String| Output { name: name.clone(), origin: None, term: Term::Unknown };
    let mut outputs: Vec<Output> = aliases.iter().map(output).collect();
    if outputs.is_empty() {
        outputs.push(output(&EVERYTHING.to_owned()));
    }
    outputs
}

fn alias_of(alias: Option<&Alias>) -> (String, Vec<String>) {
    alias.map(|alias| (alias.aliasname.clone(), tree::strings(&alias.colnames))).unwrap_or_default()
}

fn renamed(mut outputs: Vec<Output>, names: &[String]) -> Vec<Output> {
    for (output, name) in outputs.iter_mut().zip(names) {
        output.name.clone_from(name);
    }
    outputs
}

/// `values (…), (…)` has columns `column1`, ….
fn value_columns(select: &SelectStmt) -> Vec<Output> {
    let Some(NodeEnum::List(first)) = select.values_lists.first().and_then(|row| row.node.as_ref()) else {
        return Vec::new();
    };
    let name = |number: usize| format!("column{number}");
    (1..=first.items.len()).map(|number| Output { name: name(number), origin: None, term: Term::Unknown }).collect()
}

/// A `select` without tables, or one row of values.
fn is_single_row(select: &SelectStmt) -> bool {
    select.from_clause.is_empty() && select.values_lists.len() <= 1
}

fn is_one(limit: Option<&Node>) -> bool {
    matches!(tree::inner(limit), Some(constant @ NodeEnum::AConst(_)) if tree::sql(constant) == "1")
}

/// Aggregates that are recognised for telling that a query has one row. One that is missing makes the analysis less
/// precise, not wrong.
const AGGREGATES: [&str; 14] = [
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "array_agg",
    "string_agg",
    "bool_and",
    "bool_or",
    "every",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "jsonb_object_agg",
];

fn is_aggregate(target: &Node) -> bool {
    fn inside(node: Option<&NodeEnum>) -> bool {
        match node {
            Some(NodeEnum::FuncCall(call)) => {
                let name = tree::strings(&call.funcname).pop().unwrap_or_default();
                call.over.is_none() && AGGREGATES.contains(&name.as_str())
                    || call.args.iter().any(|argument| inside(argument.node.as_ref()))
            }
            Some(NodeEnum::CoalesceExpr(coalesce)) => {
                coalesce.args.iter().any(|argument| inside(argument.node.as_ref()))
            }
            Some(NodeEnum::TypeCast(cast)) => inside(tree::inner(cast.arg.as_deref())),
            Some(NodeEnum::AExpr(expression)) => {
                inside(tree::inner(expression.lexpr.as_deref())) || inside(tree::inner(expression.rexpr.as_deref()))
            }
            _ => false,
        }
    }
    match &target.node {
        Some(NodeEnum::ResTarget(target)) => inside(tree::inner(target.val.as_deref())),
        _ => false,
    }
}

/// Whether a window function stands anywhere in a target: its value depends on other rows too.
fn has_window(target: &Node) -> bool {
    serde_json::to_string(target).is_ok_and(|shape| shape.contains("\"over\":{"))
}

/// The name that the server gives a column without an alias (`FigureColname` in `src/backend/parser/parse_target.c`).
fn usual_name(value: &NodeEnum) -> String {
    match value {
        NodeEnum::FuncCall(call) => tree::strings(&call.funcname).pop().unwrap_or_default(),
        NodeEnum::TypeCast(cast) => match tree::inner(cast.arg.as_deref()) {
            Some(inside) if usual_name(inside) != "?column?" => usual_name(inside),
            _ => {
                let names = cast.type_name.as_ref().map(|type_name| tree::strings(&type_name.names));
                names.and_then(|mut names| names.pop()).unwrap_or_else(|| "?column?".to_owned())
            }
        },
        NodeEnum::CoalesceExpr(_) => "coalesce".to_owned(),
        NodeEnum::CaseExpr(_) => "case".to_owned(),
        NodeEnum::RowExpr(_) => "row".to_owned(),
        NodeEnum::AArrayExpr(_) => "array".to_owned(),
        NodeEnum::ColumnRef(reference) => tree::strings(&reference.fields).pop().unwrap_or_default(),
        NodeEnum::SubLink(link) => match link.sub_link_type() {
            pg_query::protobuf::SubLinkType::ExistsSublink => "exists".to_owned(),
            pg_query::protobuf::SubLinkType::ExprSublink => match tree::inner(link.subselect.as_deref()) {
                Some(NodeEnum::SelectStmt(select)) => match select.target_list.first().map(|target| &target.node) {
                    Some(Some(NodeEnum::ResTarget(target))) if !target.name.is_empty() => target.name.clone(),
                    Some(Some(NodeEnum::ResTarget(target))) => {
                        tree::inner(target.val.as_deref()).map(usual_name).unwrap_or_default()
                    }
                    _ => "?column?".to_owned(),
                },
                _ => "?column?".to_owned(),
            },
            _ => "?column?".to_owned(),
        },
        _ => "?column?".to_owned(),
    }
}

impl Output {
    /// The output with nothing but its name: conditions on it say nothing of its tables.
    pub fn anonymous(self) -> Self {
        Self { origin: None, term: Term::Unknown, ..self }
    }
}

impl Entry {
    /// The entry of a query or function.
    pub fn derived(alias: &str, outputs: Vec<Output>, single: bool) -> Self {
        let columns = Columns::Derived { outputs, single };
        Self { alias: alias.to_owned(), columns, lockable: Vec::new(), qualified_only: false }
    }

    fn names(&self) -> Vec<String> {
        match &self.columns {
            Columns::Relation { names, .. } => names.iter().map(|(alias, _)| alias.clone()).collect(),
            Columns::Derived { outputs, .. } => outputs.iter().map(|output| output.name.clone()).collect(),
            Columns::Unknown => Vec::new(),
        }
    }

    fn outputs(&self) -> Vec<Output> {
        match &self.columns {
            Columns::Relation { index, names } => {
                let output = |(alias, column): &(String, String)| Output {
                    name: alias.clone(),
                    origin: Some((*index, column.clone())),
                    term: Term::Unknown,
                };
                names.iter().map(output).collect()
            }
            Columns::Derived { outputs, .. } => outputs.clone(),
            Columns::Unknown => vec![Output { name: EVERYTHING.to_owned(), origin: None, term: Term::Unknown }],
        }
    }
}
