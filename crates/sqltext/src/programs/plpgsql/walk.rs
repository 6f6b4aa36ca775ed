//! The paths through a body: branches, loops, returns, and blocks with exceptions.
//!
//! A path that raises an exception outside of a block that catches it does not commit, and is left out. A path that
//! returns early goes without what follows.

use std::collections::BTreeSet;

use serde_json::Value;

use super::flow::{Branch, Early, Flow, Step, chosen};
use super::place::Place;
use super::query;
use super::variables::assigned;
use crate::access::{AccessKind, Term};
use crate::programs::assemble::{Assembler, Environment};
use crate::workload::Node;

/// `elog.h`: the level from which `raise` ends the transaction.
const ERROR_LEVEL: u64 = 21;

/// How deep blocks may nest before the walk says that it stops.
const DEPTH_MAX: usize = 200;

/// The walk through one body.
pub struct Walk<'w, 'a> {
    pub assembler: &'w mut Assembler<'a>,
    pub place: Place<'w>,
    function: &'w Value,
    /// How many blocks with exceptions are open.
    catchers: usize,
    /// How some paths of what was walked go without what follows.
    early: Early,
    depth: usize,
    nodes: Vec<Node>,
}

impl<'w, 'a> Walk<'w, 'a> {
    pub fn new(assembler: &'w mut Assembler<'a>, place: Place<'w>, function: &'w Value) -> Self {
        Self { assembler, place, function, catchers: 0, early: Early::default(), depth: 0, nodes: Vec::new() }
    }

    /// Adds nodes to the path.
    pub fn extend(&mut self, nodes: Vec<Node>) {
        self.nodes.extend(nodes);
    }

    /// Adds a node to the path.
    pub fn node(&mut self, node: Node) {
        self.nodes.push(node);
    }

    /// The variables of the function. Two of one name, in different blocks, are not told apart, and nothing is known of
    /// them.
    pub fn declare(&mut self) {
        let function = self.function;
        let mut seen = BTreeSet::new();
        for datum in function["datums"].as_array().into_iter().flatten() {
            let variable = &datum["PLpgSQL_var"];
            let record = &datum["PLpgSQL_rec"];
            let Some(name) = variable["refname"].as_str().or_else(|| record["refname"].as_str()) else { continue };
            let is_argument = variable.get("lineno").is_none() && self.assembler.environment.contains_key(name);
            if !seen.insert(name.to_owned()) {
                self.forget(name);
                continue;
            }
            if is_argument {
                continue;
            }
            self.assembler.environment.entry(name.to_owned()).or_insert(Term::Unknown);
            if variable.get("default_val").is_some() {
                self.default_value(name, &variable["default_val"]);
            }
        }
    }

    /// The whole body.
    pub fn function(mut self, action: &Value) -> Vec<Node> {
        self.statement(action);
        self.nodes
    }

    fn list(&mut self, statements: &Value) -> Flow {
        let empty = Vec::new();
        let statements = statements.as_array().unwrap_or(&empty);
        self.sequence(statements)
    }

    fn sequence(&mut self, statements: &[Value]) -> Flow {
        for (index, statement) in statements.iter().enumerate() {
            let rest = &statements[index + 1..];
            let outer = std::mem::take(&mut self.early);
            let step = self.step(statement, rest);
            let inner = self.early;
            self.early = Early { returned: outer.returned || inner.returned, left: outer.left || inner.left };
            match step {
                Step::Done(Flow::Next) if inner.returned || inner.left => return self.optional(rest),
                Step::Done(Flow::Next) => {}
                Step::Done(flow) | Step::WithRest(flow) => return flow,
            }
        }
        Flow::Next
    }

    /// What follows something that some paths have ended in.
    fn optional(&mut self, rest: &[Value]) -> Flow {
        let branch = self.branch(|walk| walk.sequence(rest));
        if !branch.nodes.is_empty() {
            self.nodes.push(Node::Choice(vec![Vec::new(), branch.nodes]));
        }
        let ends = [self.assembler.environment.clone(), branch.end];
        self.assembler.merge(&ends);
        Flow::Next
    }

    fn branch(&mut self, walk: impl FnOnce(&mut Self) -> Flow) -> Branch {
        let before = self.assembler.environment.clone();
        let outer = std::mem::take(&mut self.nodes);
        self.assembler.branches += 1;
        let flow = walk(self);
        self.assembler.branches -= 1;
        let nodes = std::mem::replace(&mut self.nodes, outer);
        let end = std::mem::replace(&mut self.assembler.environment, before);
        Branch { nodes, flow, end }
    }

    fn step(&mut self, statement: &Value, rest: &[Value]) -> Step {
        let Some((kind, inside)) = statement.as_object().and_then(|fields| fields.iter().next()) else {
            return Step::Done(Flow::Next);
        };
        let kind = kind.strip_prefix("PLpgSQL_stmt_").unwrap_or(kind);
        if matches!(kind, "if" | "case") {
            return self.choice(kind, inside, rest);
        }
        Step::Done(self.simple(kind, inside))
    }

    fn statement(&mut self, statement: &Value) -> Flow {
        match self.step(statement, &[]) {
            Step::Done(flow) | Step::WithRest(flow) => flow,
        }
    }

    fn simple(&mut self, kind: &str, inside: &Value) -> Flow {
        let line = inside["lineno"].as_u64();
        match kind {
            "block" => return self.block(inside),
            "assign" => self.assign(inside),
            "execsql" | "perform" | "call" => {
                let expression = if kind == "execsql" { &inside["sqlstmt"] } else { &inside["expr"] };
                let added = self.sql(query(expression).unwrap_or_default(), line);
                if inside.get("target").is_some() {
                    self.into(&inside["target"], added);
                }
            }
            "dynexecute" => {
                let added = self.dynamic(&inside["query"], inside);
                if inside.get("target").is_some() {
                    self.into(&inside["target"], added);
                }
            }
            "loop" | "while" | "fori" | "fors" | "forc" | "dynfors" | "foreach_a" => return self.repeat(kind, inside),
            "exit" => return self.exit(inside),
            "return" => {
                self.expressions(&inside["expr"], line);
                return Flow::Returns;
            }
            "return_next" => self.expressions(&inside["expr"], line),
            "return_query" => match query(&inside["query"]) {
                Some(text) => drop(self.sql(text, line)),
                None => drop(self.dynamic(&inside["dynquery"], inside)),
            },
            "raise" => {
                self.expressions(&inside["params"], line);
                if inside["elog_level"].as_u64().is_none_or(|level| level >= ERROR_LEVEL) {
                    return Flow::Raises;
                }
            }
            "assert" => self.expressions(&inside["cond"], line),
            "open" => self.open(inside),
            "fetch" => {
                self.expressions(&inside["expr"], line);
                self.into(&inside["target"], None);
            }
            "close" => {}
            "getdiag" => {
                for item in inside["diag_items"].as_array().into_iter().flatten() {
                    let target = item["PLpgSQL_diag_item"]["target"].as_u64();
                    let name = target.and_then(|number| self.variable(number));
                    if let Some(name) = name {
                        self.forget(&name);
                    }
                }
            }
            "commit" | "rollback" => {
                let hint = "make each part a program of its own";
                self.say_with(line, kind, &format!("`{kind}` in the middle of a procedure"), Some(hint));
            }
            _ => self.strange(kind, inside),
        }
        Flow::Next
    }

    /// The name of a variable by its number.
    fn variable(&self, number: u64) -> Option<String> {
        let datum = &self.function["datums"][usize::try_from(number).ok()?];
        let name = datum["PLpgSQL_var"]["refname"].as_str().or_else(|| datum["PLpgSQL_rec"]["refname"].as_str())?;
        Some(name.to_owned())
    }

    fn exit(&mut self, inside: &Value) -> Flow {
        let conditional = inside.get("cond").is_some();
        self.expressions(&inside["cond"], inside["lineno"].as_u64());
        if conditional || inside.get("label").is_some() {
            // With a label, how far out is not looked at: all that follows may be left out.
            self.early.left = true;
            self.early.returned |= inside.get("label").is_some();
            return Flow::Next;
        }
        Flow::Leaves
    }

    fn block(&mut self, inside: &Value) -> Flow {
        if self.depth >= DEPTH_MAX {
            self.strange("blocks this deep", inside);
            return Flow::Next;
        }
        self.depth += 1;
        if let Some(label) = inside["label"].as_str() {
            self.assembler.labels.insert(label.to_owned());
        }
        let handlers = inside["exceptions"]["PLpgSQL_exception_block"]["exc_list"].as_array();
        let flow = match handlers {
            None => self.list(&inside["body"]),
            Some(handlers) => self.guarded(inside, handlers),
        };
        self.depth -= 1;
        flow
    }

    /// A block with exceptions: all of it, or a part of it that is rolled back and then a handler.
    fn guarded(&mut self, inside: &Value, handlers: &[Value]) -> Flow {
        self.catchers += 1;
        let first = self.assembler.statements.len();
        let whole = self.branch(|walk| walk.list(&inside["body"]));
        self.catchers -= 1;
        let undone = self.undone(first);
        self.forget_all(&assigned(self.function, &inside["body"]));
        let mut branches = vec![whole];
        for handler in handlers {
            let action = &handler["PLpgSQL_exception"]["action"];
            let mut branch = self.branch(|walk| walk.list(action));
            branch.nodes.splice(0..0, undone.clone());
            branches.push(branch);
        }
        self.join(branches, &[]).flow()
    }

    /// The statements from `first` on, rolled back: what they read was read, what they wrote was not written. Any of
    /// them may have been the last.
    fn undone(&mut self, first: usize) -> Vec<Node> {
        let copied = self.assembler.statements[first..].to_vec();
        let mut nodes = Vec::new();
        for mut statement in copied.into_iter().rev() {
            for access in &mut statement.accesses {
                if access.kind.is_write() || matches!(access.kind, AccessKind::Lock(_)) {
                    access.kind = AccessKind::Read;
                    access.writes.clear();
                    access.values.clear();
                }
                access.conditional = true;
            }
            self.assembler.statements.push(statement);
            self.assembler.conditional.push(true);
            let index = self.assembler.statements.len() - 1;
            let mut path = vec![Node::Statement(index)];
            path.append(&mut nodes);
            nodes = vec![Node::Choice(vec![Vec::new(), path])];
        }
        nodes
    }

    fn choice(&mut self, kind: &str, inside: &Value, rest: &[Value]) -> Step {
        let line = inside["lineno"].as_u64();
        let mut arms: Vec<(&Value, &Value)> = Vec::new();
        if kind == "if" {
            self.expressions(&inside["cond"], line);
            arms.push((&Value::Null, &inside["then_body"]));
            for arm in inside["elsif_list"].as_array().into_iter().flatten() {
                let arm = &arm["PLpgSQL_if_elsif"];
                arms.push((&arm["cond"], &arm["stmts"]));
            }
            arms.push((&Value::Null, &inside["else_body"]));
        } else {
            self.expressions(&inside["t_expr"], line);
            for arm in inside["case_when_list"].as_array().into_iter().flatten() {
                let arm = &arm["PLpgSQL_case_when"];
                arms.push((&arm["expr"], &arm["stmts"]));
            }
            // Without `else`, a case that fits nowhere is an error.
            if inside["have_else"].as_bool() == Some(true) {
                arms.push((&Value::Null, &inside["else_stmts"]));
            }
        }
        // Conditions are looked at one after the other, so a later arm comes after the earlier ones' conditions.
        let mut branches = Vec::new();
        let mut conditions: Vec<Node> = Vec::new();
        for (condition, body) in arms {
            let outer = std::mem::take(&mut self.nodes);
            self.expressions(condition, line);
            conditions.append(&mut std::mem::replace(&mut self.nodes, outer));
            let mut branch = self.branch(|walk| walk.list(body));
            branch.nodes.splice(0..0, conditions.clone());
            branches.push(branch);
        }
        self.join(branches, rest)
    }

    /// After branches: those that go on share what follows.
    fn join(&mut self, branches: Vec<Branch>, rest: &[Value]) -> Step {
        let fails = |branch: &Branch| branch.flow == Flow::Raises && self.catchers == 0;
        let branches: Vec<Branch> = branches.into_iter().filter(|branch| !fails(branch)).collect();
        if branches.is_empty() {
            return Step::WithRest(Flow::Raises);
        }
        let (going, ended): (Vec<_>, Vec<_>) = branches.into_iter().partition(|branch| branch.flow == Flow::Next);
        if ended.is_empty() {
            let ends: Vec<Environment> = going.iter().map(|branch| branch.end.clone()).collect();
            self.nodes.extend(chosen(going.into_iter().map(|branch| branch.nodes).collect()));
            self.assembler.merge(&ends);
            return Step::Done(Flow::Next);
        }
        let returns = ended.iter().any(|branch| branch.flow == Flow::Returns);
        self.early.returned |= returns;
        self.early.left |= ended.iter().any(|branch| branch.flow == Flow::Leaves);
        let mut paths: Vec<Vec<Node>> = ended.into_iter().map(|branch| branch.nodes).collect();
        if going.is_empty() {
            self.nodes.extend(chosen(paths));
            return Step::WithRest(if returns { Flow::Returns } else { Flow::Leaves });
        }
        let ends: Vec<Environment> = going.iter().map(|branch| branch.end.clone()).collect();
        let before = self.assembler.environment.clone();
        self.assembler.merge(&ends);
        let going_on = chosen(going.into_iter().map(|branch| branch.nodes).collect());
        let branch = self.branch(|walk| {
            walk.nodes.extend(going_on);
            walk.sequence(rest)
        });
        if branch.flow != Flow::Raises || self.catchers > 0 {
            paths.push(branch.nodes);
        }
        self.nodes.extend(chosen(paths));
        self.assembler.environment = branch.end;
        // Names that were known before stay known, whatever became of them.
        for name in before.keys() {
            self.assembler.environment.entry(name.clone()).or_insert(Term::Unknown);
        }
        // Inside a loop or block, what follows comes after every path.
        Step::WithRest(Flow::Next)
    }

    fn repeat(&mut self, kind: &str, inside: &Value) -> Flow {
        let line = inside["lineno"].as_u64();
        // What a round assigns, the next one finds.
        let names = assigned(self.function, inside);
        let added = match kind {
            "fors" => self.sql(query(&inside["query"]).unwrap_or_default(), line),
            "dynfors" => self.dynamic(&inside["query"], inside),
            "forc" => {
                self.expressions(&inside["argquery"], line);
                let cursor = inside["curvar"].as_u64().unwrap_or(u64::MAX);
                self.cursor(cursor, line)
            }
            "fori" => {
                for bound in ["lower", "upper", "step"] {
                    self.expressions(&inside[bound], line);
                }
                let variable = inside["var"]["PLpgSQL_var"]["refname"].as_str();
                if let Some(variable) = variable {
                    self.forget(variable);
                }
                None
            }
            "foreach_a" => {
                self.expressions(&inside["expr"], line);
                None
            }
            _ => None,
        };
        self.forget_all(&names);
        self.assembler.loops += 1;
        let outer = std::mem::take(&mut self.early);
        if matches!(kind, "fors" | "dynfors" | "forc") {
            self.into(&inside["var"], added);
        }
        let branch = self.branch(|walk| {
            walk.expressions(&inside["cond"], line);
            walk.list(&inside["body"])
        });
        self.assembler.loops -= 1;
        let returned = outer.returned || self.early.returned || branch.flow == Flow::Returns;
        self.early = Early { returned, left: outer.left };
        self.forget_all(&names);
        if !branch.nodes.is_empty() {
            self.nodes.push(Node::Repeat(branch.nodes));
        }
        Flow::Next
    }

    /// The query of a cursor that was declared with one.
    fn cursor(&mut self, number: u64, line: Option<u64>) -> super::steps::Added {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let function = self.function;
        let query = query(&function["datums"][index]["PLpgSQL_var"]["cursor_explicit_expr"]);
        if let Some(text) = query {
            return self.sql(text, line);
        }
        self.say(line, "", "a cursor whose query is not known");
        None
    }

    /// `open`: the query's snapshot is of now.
    fn open(&mut self, inside: &Value) {
        let line = inside["lineno"].as_u64();
        self.expressions(&inside["argquery"], line);
        if let Some(text) = query(&inside["query"]) {
            self.sql(text, line);
        } else if inside.get("dynquery").is_some() {
            self.dynamic(&inside["dynquery"], inside);
        } else {
            self.cursor(inside["curvar"].as_u64().unwrap_or(u64::MAX), line);
        }
    }

    /// Says that something was not understood.
    pub fn say(&mut self, line: Option<u64>, text: &str, why: &str) {
        self.say_with(line, text, why, None);
    }

    fn say_with(&mut self, line: Option<u64>, text: &str, why: &str, hint: Option<&str>) {
        let span = self.place.of(line, text);
        let node = self.assembler.say_at(span, text, why, hint);
        self.nodes.push(node);
    }

    /// Says that a statement of PL/pgSQL is not known; its expressions are looked at all the same.
    pub fn strange(&mut self, what: &str, statement: &Value) {
        let line = statement["lineno"].as_u64();
        self.expressions(statement, line);
        self.say(line, "", &format!("{what}: PL/pgSQL that is not known"));
    }
}
