//! Queries: their tables, joins, `with`, set operations, and row locks.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    LockClauseStrength, LockWaitPolicy, LockingClause, Node, ResTarget, SelectStmt, SetOperation, WithClause,
};

use super::builder::Builder;
use super::condition::Restricted;
use super::names::{Columns, Cte, EVERYTHING, Entry, Meaning, Output, Scope};
use crate::access::{AccessKind, LockStrength, Term};
use crate::tree;

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
            restricted.extend(self.table_item(item));
        }
        // A row of a join is found if its partners are.
        let is_table = |item: &Node| matches!(item.node, Some(NodeEnum::RangeVar(_)));
        let is_single = matches!(select.from_clause.as_slice(), [only] if is_table(only));
        let is_cut =
            select.limit_offset.is_some() || select.limit_count.is_some() && !is_one(select.limit_count.as_deref());
        for index in restricted.iter().filter(|_| !is_single || is_cut) {
            self.uses[*index].may_miss = true;
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
            let first = self.uses.len();
            let (outputs, single) = match query {
                NodeEnum::SelectStmt(select) => self.select(select),
                other => (self.statement(other), false),
            };
            if clause.recursive {
                self.ctes.pop();
            }
            // Whatever reads a `with` decides how many of its rows are fetched. Only what writes runs to its end (manual, 7.8.4).
            for used in self.uses[first..].iter_mut().filter(|used| matches!(used.kind, AccessKind::Lock(_))) {
                used.may_miss = true;
            }
            // A `with` may be read several times, so a condition on one of its columns does not restrict its tables.
            let outputs = outputs.into_iter().map(Output::anonymous).collect();
            self.ctes.push(Cte { name: cte.ctename.clone(), outputs: renamed(outputs, &aliases), single });
        }
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
        // Of a query inside, and of a query in `from`, others decide which rows are fetched.
        let is_inside = self.scopes.len() > 1;
        let is_plain = |entry: &Entry| !is_inside && matches!(entry.columns, Columns::Relation { .. });
        let each = |entry: &Entry| -> Vec<(usize, bool)> {
            entry.lockable.iter().map(|index| (*index, is_plain(entry))).collect()
        };
        let locked: Vec<(usize, bool)> = locked.flat_map(each).collect();
        for (index, is_plain) in locked {
            let used = &mut self.uses[index];
            used.may_miss |= !is_plain;
            used.kind = match used.kind {
                AccessKind::Read => AccessKind::Lock(strength),
                AccessKind::Lock(already) => AccessKind::Lock(already.max(strength)),
                other => other,
            };
            used.conditional |= clause.wait_policy() == LockWaitPolicy::LockWaitSkip;
        }
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

/// Outputs under other names, as far as there are names.
pub fn renamed(mut outputs: Vec<Output>, names: &[String]) -> Vec<Output> {
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
