//! Function calls: the server's own that touch no table, advisory locks, and functions whose body is known.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node};

use super::builder::Builder;
use crate::access::{AccessKind, Cause, Rows, Term, advisory_space};
use crate::budget;
use crate::programs::function_statements;
use crate::schema::Function;
use crate::tree;

static BUILTINS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    include_str!("builtins.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
});

/// Operators of the server (`select distinct oprname from pg_operator`, PostgreSQL 18), and `!=`, which the grammar
/// reads as `<>`. Others are somebody's functions.
const OPERATORS: &str = " !! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / \
    < <-> << <<= <<| <= <> <@ <^ = > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ \
    ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~* != ";

/// Functions whose value differs from row to row of one statement.
const PER_ROW: [&str; 9] = [
    "random",
    "random_normal",
    "gen_random_uuid",
    "uuidv4",
    "uuidv7",
    "clock_timestamp",
    "nextval",
    "timeofday",
    "currval",
];

impl Builder<'_> {
    /// An operator, which may be somebody's own.
    pub fn operator(&mut self, name: &[Node], location: i32) {
        let parts = tree::strings(name);
        let Some(operator) = parts.last() else { return };
        let is_own = !OPERATORS.contains(&format!(" {operator} ")) || parts.len() > 1 && parts[0] != "pg_catalog";
        // `between`, `like` and `in` carry words or the operators that they stand for.
        if is_own && !operator.chars().all(|c| c.is_ascii_alphabetic() || c == ' ') {
            self.say(location, format!("the function of operator {operator} is not known"), None);
        }
    }

    /// Whether a name is that of a function of the server that touches no table, and nobody has made one like it.
    pub fn is_harmless_builtin(&self, parts: &[String]) -> bool {
        let (schema, name) = tree::qualified(parts);
        match schema {
            Some("pg_catalog") => BUILTINS.contains(name),
            Some(_) => false,
            None => BUILTINS.contains(name) && self.own_function(None, name, None).is_none(),
        }
    }

    fn own_function(&self, schema: Option<&str>, name: &str, arguments: Option<usize>) -> Option<&Function> {
        let named = |function: &&Function| {
            function.name.name() == name
                && schema.is_none_or(|schema| function.name.schema() == schema)
                && arguments.is_none_or(|count| function.arguments.len() == count)
        };
        self.schema().functions.iter().find(named)
    }

    pub(super) fn function_call(&mut self, call: &FuncCall) {
        self.all(&call.args);
        self.all(&call.agg_order);
        self.maybe(call.agg_filter.as_deref());
        if let Some(window) = call.over.as_deref() {
            self.window(window);
        }
        let parts = tree::strings(&call.funcname);
        let (schema, name) = tree::qualified(&parts);
        if PER_ROW.contains(&name) {
            self.volatile = true;
        }
        if self.is_harmless_builtin(&parts) {
            return;
        }
        if schema.is_none_or(|schema| schema == "pg_catalog") && self.advisory(name, call) {
            return;
        }
        self.volatile = true;
        let known =
            self.own_function(schema, name, Some(call.args.len())).or_else(|| self.own_function(schema, name, None));
        if let Some(function) = known.cloned() {
            let is_like = |other: &&Function| {
                other.name.name() == name
                    && schema.is_none_or(|schema| other.name.schema() == schema)
                    && other.arguments.len() == function.arguments.len()
            };
            if self.schema().functions.iter().filter(is_like).count() > 1 {
                let why = format!("which {name}() is called depends on types");
                self.say(call.location, why, Some("give functions of the same number of arguments different names"));
            }
            self.own_call(&function, call);
        } else {
            let why = format!("function {}() is not known", parts.join("."));
            self.say(call.location, why, Some("add its `create function` to the schema"));
        }
    }

    /// `pg_advisory_lock` and its kin. Giving a lock back is no access.
    fn advisory(&mut self, name: &str, call: &FuncCall) -> bool {
        if name.starts_with("pg_advisory_unlock") {
            return true;
        }
        let Some(rest) = name.strip_prefix("pg_try_").or_else(|| name.strip_prefix("pg_")) else { return false };
        let kinds = ["advisory_lock", "advisory_lock_shared", "advisory_xact_lock", "advisory_xact_lock_shared"];
        if !kinds.contains(&rest) {
            return false;
        }
        let kind = AccessKind::Advisory {
            shared: rest.ends_with("_shared"),
            transaction: rest.contains("xact"),
            may_fail: name.starts_with("pg_try_"),
        };
        let term =
            |argument: &Node| argument.node.as_ref().and_then(|argument| self.term(argument)).unwrap_or(Term::Unknown);
        let terms: Vec<Term> = call.args.iter().map(term).collect();
        let key = if terms.len() == 2 { vec!["key1".to_owned(), "key2".to_owned()] } else { vec!["key".to_owned()] };
        let span = self.place(call.location);
        let index = self.add_use(advisory_space(), kind, span);
        self.uses[index].rows = Some(Rows::one(key, terms));
        true
    }

    /// A function whose body is known: its statements' accesses become this one's.
    fn own_call(&mut self, function: &Function, call: &FuncCall) {
        if self.surroundings.calls >= super::CALLS_MAX || !budget::spend() {
            self.say(call.location, format!("{}() calls go too deep", function.name), None);
            return;
        }
        let arguments = call.args.iter().map(|argument| {
            let inside = match &argument.node {
                Some(NodeEnum::NamedArgExpr(named)) => tree::inner(named.arg.as_deref()),
                other => other.as_ref(),
            };
            inside.and_then(|argument| self.term(argument)).unwrap_or(Term::Unknown)
        });
        let has_names = call.args.iter().any(|argument| matches!(argument.node, Some(NodeEnum::NamedArgExpr(_))));
        let arguments: Vec<Term> =
            if has_names { vec![Term::Unknown; function.arguments.len()] } else { arguments.collect() };
        let span = self.place(call.location);
        let body = function_statements(self.schema(), function, &arguments, self.surroundings.calls + 1);
        let writing = body.statements.iter().filter(|statement| !statement.accesses.is_empty()).count();
        if writing > 1 && !function.is_immutable {
            let why = format!("{}() runs several statements in the middle of this one", function.name);
            self.say(
                call.location,
                why,
                Some("call it alone, as `select f(…)` or `call p(…)`, or analyse it by itself"),
            );
        }
        for statement in body.statements {
            for mut access in statement.accesses {
                // How often an expression is computed, and whether at all, its statement decides.
                access.conditional = true;
                access.nested = true;
                access.span = span.clone();
                if access.cause == Cause::Statement {
                    access.cause = Cause::Function(function.name.to_string());
                }
                self.brought_about.push(access);
            }
            for said in statement.unanalysed {
                self.say(call.location, format!("in {}(): {}", function.name, said.why), said.hint.as_deref());
            }
        }
    }
}
