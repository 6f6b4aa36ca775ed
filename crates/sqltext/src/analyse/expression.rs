//! Expressions: every column they read, every query and function inside them.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SubLink, WindowDef, a_const};

use super::builder::{Builder, Source};
use super::names::Meaning;
use crate::access::Term;
use crate::tree;

impl Builder<'_> {
    /// Walks an optional expression.
    pub fn maybe(&mut self, node: Option<&Node>) {
        if let Some(node) = tree::inner(node) {
            self.expression(node);
        }
    }

    /// Walks expressions.
    pub fn all(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.maybe(Some(node));
        }
    }

    /// Walks an expression for the columns it reads.
    pub fn expression(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::ColumnRef(reference) => drop(self.column(reference)),
            NodeEnum::AExpr(expression) => {
                self.operator(&expression.name, expression.location);
                self.maybe(expression.lexpr.as_deref());
                self.maybe(expression.rexpr.as_deref());
            }
            NodeEnum::BoolExpr(expression) => self.all(&expression.args),
            NodeEnum::TypeCast(cast) => self.maybe(cast.arg.as_deref()),
            NodeEnum::CollateClause(collate) => self.maybe(collate.arg.as_deref()),
            NodeEnum::NullTest(test) => self.maybe(test.arg.as_deref()),
            NodeEnum::BooleanTest(test) => self.maybe(test.arg.as_deref()),
            NodeEnum::CoalesceExpr(coalesce) => self.all(&coalesce.args),
            NodeEnum::MinMaxExpr(expression) => self.all(&expression.args),
            NodeEnum::RowExpr(row) => self.all(&row.args),
            NodeEnum::AArrayExpr(array) => self.all(&array.elements),
            NodeEnum::List(list) => self.all(&list.items),
            NodeEnum::NamedArgExpr(argument) => self.maybe(argument.arg.as_deref()),
            NodeEnum::SortBy(sort) => self.maybe(sort.node.as_deref()),
            NodeEnum::GroupingSet(set) => self.all(&set.content),
            NodeEnum::GroupingFunc(grouping) => self.all(&grouping.args),
            NodeEnum::MultiAssignRef(assign) => self.maybe(assign.source.as_deref()),
            NodeEnum::ResTarget(target) => self.maybe(target.val.as_deref()),
            NodeEnum::AIndices(indices) => {
                self.maybe(indices.lidx.as_deref());
                self.maybe(indices.uidx.as_deref());
            }
            NodeEnum::AIndirection(indirection) => {
                self.maybe(indirection.arg.as_deref());
                self.all(&indirection.indirection);
            }
            NodeEnum::CaseExpr(case) => {
                self.maybe(case.arg.as_deref());
                self.all(&case.args);
                self.maybe(case.defresult.as_deref());
            }
            NodeEnum::CaseWhen(when) => {
                self.maybe(when.expr.as_deref());
                self.maybe(when.result.as_deref());
            }
            NodeEnum::FuncCall(call) => self.function_call(call),
            NodeEnum::WindowDef(window) => self.window(window),
            NodeEnum::SubLink(link) => self.sub_link(link),
            NodeEnum::AConst(_)
            | NodeEnum::ParamRef(_)
            | NodeEnum::SetToDefault(_)
            | NodeEnum::SqlvalueFunction(_)
            | NodeEnum::AStar(_)
            | NodeEnum::String(_)
            | NodeEnum::MergeSupportFunc(_) => {}
            other => self.fallback(other),
        }
    }

    fn sub_link(&mut self, link: &SubLink) {
        self.maybe(link.testexpr.as_deref());
        match tree::inner(link.subselect.as_deref()) {
            Some(query) => drop(self.query(query)),
            None => self.say(link.location, "a subquery that is not understood", None),
        }
    }

    /// A window, or the `over` of a function.
    pub fn window(&mut self, window: &WindowDef) {
        self.all(&window.partition_clause);
        self.all(&window.order_clause);
        self.maybe(window.start_offset.as_deref());
        self.maybe(window.end_offset.as_deref());
    }

    /// Walks a node whose kind has no rule above (JSON and XML constructors, mostly) by its shape: all columns that it
    /// names are read; a query inside it is said.
    fn fallback(&mut self, node: &NodeEnum) {
        let Ok(value) = serde_json::to_value(node) else {
            self.say(-1, "an expression that is not understood", None);
            return;
        };
        self.shape(&value);
    }

    fn shape(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, inside) in fields {
                    match name.as_str() {
                        "ColumnRef" => self.column_of_shape(inside),
                        "FuncCall" => self.call_of_shape(inside),
                        "SelectStmt" | "SubLink" => {
                            self.say(-1, "a query inside an expression that is not understood", None);
                        }
                        _ => self.shape(inside),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.shape(item)),
            _ => {}
        }
    }

    fn column_of_shape(&mut self, value: &serde_json::Value) {
        let mut fields = Vec::new();
        for field in value["fields"].as_array().into_iter().flatten() {
            let node = match field["node"]["String"]["sval"].as_str() {
                Some(name) => NodeEnum::String(pg_query::protobuf::String { sval: name.to_owned() }),
                None => NodeEnum::AStar(pg_query::protobuf::AStar {}),
            };
            fields.push(Node { node: Some(node) });
        }
        let location = value["location"].as_i64().and_then(|at| i32::try_from(at).ok()).unwrap_or(-1);
        self.column(&pg_query::protobuf::ColumnRef { fields, location });
    }

    fn call_of_shape(&mut self, value: &serde_json::Value) {
        let parts = value["funcname"].as_array().into_iter().flatten();
        let parts: Vec<String> =
            parts.filter_map(|part| part["node"]["String"]["sval"].as_str().map(str::to_owned)).collect();
        let location = value["location"].as_i64().and_then(|at| i32::try_from(at).ok()).unwrap_or(-1);
        if !self.is_harmless_builtin(&parts) {
            self.say(
                location,
                format!("function {} is called inside an expression that is not understood", parts.join(".")),
                None,
            );
        }
        for (name, inside) in value.as_object().into_iter().flatten() {
            if name != "funcname" {
                self.shape(inside);
            }
        }
    }

    /// Walks one side of an equality, and tells what it says of the other side: nothing, if it differs from row to row
    /// in a way that has no name.
    pub fn operand(&mut self, node: &NodeEnum) -> Option<Source> {
        if let NodeEnum::ColumnRef(reference) = node {
            return self.column(reference).source();
        }
        if let Some(term) = self.term(node) {
            return Some(Source::Term(term));
        }
        let (uses, touched) = (self.uses.len(), self.touched.len());
        let outer = std::mem::replace(&mut self.volatile, false);
        self.expression(node);
        let is_constant = !self.volatile && self.touched[touched..].iter().all(|(index, _)| *index >= uses);
        self.volatile |= outer;
        is_constant.then_some(Source::Term(Term::Unknown))
    }

    /// The term that an expression is, if it is one: a parameter, a constant, or either with a cast that only names the
    /// type.
    pub fn term(&self, node: &NodeEnum) -> Option<Term> {
        match node {
            NodeEnum::ParamRef(parameter) => {
                let number = usize::try_from(parameter.number).ok()?.checked_sub(1)?;
                Some(self.surroundings.arguments.get(number).cloned().unwrap_or(Term::Unknown))
            }
            NodeEnum::AConst(constant) if !constant.isnull => Some(Term::Constant(match constant.val.as_ref() {
                Some(a_const::Val::Boolval(boolean)) => boolean.boolval.to_string(),
                // Zero is the wire format's default, and arrives as nothing.
                None => "0".to_owned(),
                Some(_) => tree::sql(node),
            })),
            NodeEnum::TypeCast(cast) => {
                let type_name = cast.type_name.as_ref()?;
                let inside = self.term(tree::inner(cast.arg.as_deref())?)?;
                // With a length or precision, a cast may change the value.
                (type_name.typmods.is_empty() && type_name.array_bounds.is_empty()).then_some(inside)
            }
            // What a parameter of a function or a row of a trigger stands for.
            NodeEnum::ColumnRef(reference) => match self.clone_of_column(reference)? {
                Meaning::Derived(term) if term != Term::Unknown => Some(term),
                _ => None,
            },
            _ => None,
        }
    }

    /// What an unambiguous qualified name means, without taking note of it.
    fn clone_of_column(&self, reference: &pg_query::protobuf::ColumnRef) -> Option<Meaning> {
        let parts = tree::strings(&reference.fields);
        let [table, name] = parts.as_slice() else { return None };
        self.entry(table)?.find(name)
    }
}
