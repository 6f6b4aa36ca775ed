//! What stands in `from`: tables, views, queries, functions and joins.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{Alias, JoinExpr, JoinType, Node, RangeFunction, RangeSubselect, RangeVar};

use super::builder::{Builder, Source, root};
use super::condition::Restricted;
use super::names::{Columns, EVERYTHING, Entry, Meaning, Output, Scope};
use super::select::{parse_one, renamed};
use crate::access::{AccessKind, Cause, Term};
use crate::name::RelationName;
use crate::schema::RelationKind;
use crate::tree;

/// Schemas of the server's own tables.
const CATALOGUES: [&str; 3] = ["pg_catalog", "information_schema", "pg_toast"];

impl Builder<'_> {
    /// Something in `from`; tells the uses whose rows a condition on it restricts.
    pub fn table_item(&mut self, item: &Node) -> Restricted {
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
                sample.relation.as_deref().map(|relation| self.table_item(relation)).unwrap_or_default()
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
        let name = self.relation_name(relation);
        if self.schema().relations.get(&name).is_some_and(|relation| relation.kind == RelationKind::View) {
            return self.view(&name, alias, names, relation.location);
        }
        let index = self.add_use(name, AccessKind::Read, self.place(relation.location));
        let names = self.named_columns(index, names);
        self.enter(Entry::relation(alias, index, names));
        Restricted::from([index])
    }

    /// The relation that a name means; says so when the schema does not have it. Of the
    /// server's own tables it says that they are not followed.
    pub fn relation_name(&mut self, relation: &RangeVar) -> RelationName {
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
            return name;
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
        RelationName::in_schema(schema, &relation.relname)
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
        let left = join.larg.as_deref().map(|left| self.table_item(left)).unwrap_or_default();
        let second = entries(self);
        let right = join.rarg.as_deref().map(|right| self.table_item(right)).unwrap_or_default();
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
        let may_be_anything = scope.entries[first..].iter().any(|entry| matches!(entry.columns, Columns::Unknown));
        if (left.is_none() || right.is_none()) && !may_be_anything {
            let why = format!("column \"{column}\" specified in USING clause does not exist on both sides");
            self.say(-1, why, Some("is the schema complete?"));
        }
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

    /// Equalities that an `on conflict` or a foreign key brings: a use's column with a term.
    pub fn bind(&mut self, index: usize, column: &str, term: Term) {
        self.link(Source::Term(term), (index, column.to_owned()));
    }

    /// The root of a relation's tree.
    pub fn root_of(&self, name: &RelationName) -> RelationName {
        root(self.schema(), name)
    }
}

fn alias_of(alias: Option<&Alias>) -> (String, Vec<String>) {
    alias.map(|alias| (alias.aliasname.clone(), tree::strings(&alias.colnames))).unwrap_or_default()
}
