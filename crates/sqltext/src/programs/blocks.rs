//! One source's programs: what its pragmas, its `begin … commit` blocks and its functions say they are.

use std::collections::BTreeSet;
use std::path::Path;

use pg_query::NodeEnum;
use pg_query::protobuf::{TransactionStmt, TransactionStmtKind, VariableSetStmt};
use pgstrata_units::Isolation;

use super::assemble::{Assembler, Draft};
use super::{functions, parameters, pragmas};
use crate::budget;
use crate::error::SqlError;
use crate::grammar::read::{Parsed, Read};
use crate::schema::Schema;
use crate::tree;
use crate::workload::{Node, Origin, Pragma, PragmaKind, Program, Scope, Unanalysed, Workload};

/// Settings that give a transaction its level.
const LEVEL_SETTINGS: [&str; 2] = ["transaction_isolation", "default_transaction_isolation"];

/// The programs of one source. `called` are functions that other statements call: those are part of their callers.
pub fn programs(read: &Read<'_>, schema: &Schema, called: &BTreeSet<String>) -> Result<Workload, Vec<SqlError>> {
    let pragmas = pragmas::read(&read.source, &read.comments)?;
    let mut walk = Walk {
        read,
        schema,
        named_by_pragmas: pragmas.iter().any(|(_, pragma)| matches!(pragma.kind, PragmaKind::Program { .. })),
        pending: Vec::new(),
        open: None,
        session_level: None,
        found: Workload::default(),
    };
    let mut pragmas = pragmas.into_iter().peekable();
    let mut commands = read.meta_commands.iter().peekable();
    for statement in &read.statements {
        while let Some((_, pragma)) = pragmas.next_if(|(offset, _)| *offset < statement.from) {
            walk.pragma(pragma);
        }
        walk.statement(statement, called);
        // `\gset` stands right behind its statement.
        while let Some(command) = commands.next_if(|command| command.offset < statement.to) {
            let _ = command;
        }
        if let Some(command) = commands.peek()
            && is_next(read, statement, command.offset)
            && matches!(command.name.as_str(), "gset" | "aset")
        {
            walk.keep_results(&command.arguments);
        }
    }
    for (_, pragma) in pragmas {
        walk.pragma(pragma);
    }
    walk.close();
    Ok(walk.found)
}

/// Whether nothing but space stands between a statement and an offset.
fn is_next(read: &Read<'_>, statement: &Parsed, offset: usize) -> bool {
    read.source.text().get(statement.to..offset).is_some_and(|between| between.trim().is_empty())
}

struct Walk<'a, 'r> {
    read: &'a Read<'r>,
    schema: &'a Schema,
    named_by_pragmas: bool,
    /// Pragmas that stand before the program they belong to.
    pending: Vec<Pragma>,
    open: Option<Open<'a>>,
    /// What `set default_transaction_isolation` or `set session characteristics` said for what follows.
    session_level: Option<Isolation>,
    found: Workload,
}

/// A program that is being read.
struct Open<'a> {
    name: Option<String>,
    level: Option<Isolation>,
    pragmas: Vec<Pragma>,
    from: usize,
    to: usize,
    assembler: Assembler<'a>,
    body: Vec<Node>,
    /// Inside `begin … commit`.
    in_transaction: bool,
    /// Some of its statements stand in a transaction.
    transactions: usize,
    /// Statements outside of a transaction.
    loose: usize,
    /// DDL between its statements.
    ddl: Vec<Unanalysed>,
    /// The last statement that was added, and the columns of its result.
    last: Option<(usize, Vec<crate::analyse::OutputColumn>)>,
}

impl<'a> Walk<'a, '_> {
    fn pragma(&mut self, pragma: Pragma) {
        if let PragmaKind::Program { name, level } = &pragma.kind {
            self.close();
            let (name, level) = (name.clone(), *level);
            self.open_at(usize::MAX);
            if let Some(open) = &mut self.open {
                open.name = Some(name);
                open.level = level;
                open.pragmas.push(pragma);
            }
        } else if let Some(open) = &mut self.open
            && (self.named_by_pragmas || open.in_transaction)
        {
            open.pragmas.push(pragma);
        } else {
            self.pending.push(pragma);
        }
    }

    fn open_at(&mut self, from: usize) -> &mut Open<'a> {
        let pending = std::mem::take(&mut self.pending);
        let schema = self.schema;
        self.open.get_or_insert_with(|| Open {
            name: None,
            level: None,
            pragmas: pending,
            from,
            to: from,
            assembler: Assembler::new(schema, 0, true),
            body: Vec::new(),
            in_transaction: false,
            transactions: 0,
            loose: 0,
            ddl: Vec::new(),
            last: None,
        })
    }

    fn statement(&mut self, parsed: &Parsed, called: &BTreeSet<String>) {
        match &parsed.tree {
            NodeEnum::CreateFunctionStmt(create) => self.function(parsed, create, called),
            node if is_ddl(node) => self.ddl(parsed),
            NodeEnum::VariableSetStmt(set) if self.level(parsed, set) => {}
            NodeEnum::VariableSetStmt(set) if self.open.is_none() && set.name == "search_path" => {}
            NodeEnum::TransactionStmt(transaction) if self.boundary(parsed, transaction) => {}
            _ => self.step(parsed),
        }
    }

    /// DDL makes the schema; in the middle of a program it also locks and reads, which is not followed.
    fn ddl(&mut self, parsed: &Parsed) {
        let span = self.read.span_of(parsed);
        if let Some(open) = self.open.as_mut().filter(|open| open.in_transaction) {
            let hint = Some("keep it out of programs".to_owned());
            open.ddl.push(Unanalysed { span, why: "a statement that changes the schema".to_owned(), hint });
        }
    }

    /// A statement of the program that is open, or of a new one.
    fn step(&mut self, parsed: &Parsed) {
        budget::renew();
        let (read, schema) = (self.read, self.schema);
        let open = self.open_at(parsed.from);
        open.from = open.from.min(parsed.from);
        open.to = parsed.to;
        if !open.in_transaction {
            open.loose += 1;
        }
        let whole = read.span_of(parsed);
        let assembler = &mut open.assembler;
        if let Some(nodes) = functions::inline(schema, &parsed.tree, &parsed.arguments, &whole, assembler) {
            open.body.extend(nodes);
            open.last = None;
            return;
        }
        let place = |offset: Option<usize>| match offset {
            Some(offset) => {
                let from = parsed.source_offset(offset);
                read.source.span(from, word_end(read.source.text(), from))
            }
            None => read.span_of(parsed),
        };
        let draft = Draft {
            span: read.span_of(parsed),
            text: read.source.text()[parsed.from..parsed.to].to_owned(),
            prepared: parsed.prepared.clone(),
            arguments: parsed.arguments.clone(),
            tree: &parsed.tree,
            place: &place,
        };
        let (index, analysed) = open.assembler.add(draft);
        for (_, name) in &parsed.interpolated {
            let why = format!("the name \"{name}\" comes from a variable");
            open.assembler.say(index, why, Some("write the table's or column's name in the statement"));
        }
        open.body.push(Node::Statement(index));
        open.last = Some((index, analysed.columns));
    }

    /// `\gset PREFIX`: the columns of the last statement's row become variables.
    fn keep_results(&mut self, prefix: &str) {
        let Some(open) = &mut self.open else { return };
        let Some((statement, columns)) = open.last.take() else { return };
        for (index, column) in columns.into_iter().enumerate() {
            let variable = format!("{prefix}{}", column.name);
            open.assembler.bind(statement, index, &column.name, &variable, column.term);
        }
    }

    /// `begin`, `commit` and their like; savepoints are statements.
    fn boundary(&mut self, parsed: &Parsed, transaction: &TransactionStmt) -> bool {
        match transaction.kind() {
            TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart => {
                let begun = self.open.as_ref().is_some_and(|open| open.transactions > 0 || open.loose > 0);
                if begun {
                    let name = self.open.as_ref().and_then(|open| open.name.clone());
                    self.close();
                    self.open_at(parsed.from).name = name;
                }
                let level = option_level(&transaction.options).or(self.session_level);
                let open = self.open_at(parsed.from);
                open.from = open.from.min(parsed.from);
                open.to = parsed.to;
                open.in_transaction = true;
                open.transactions += 1;
                open.level = level.or(open.level);
                true
            }
            TransactionStmtKind::TransStmtCommit | TransactionStmtKind::TransStmtRollback => {
                if let Some(open) = &mut self.open {
                    open.to = parsed.to;
                    open.in_transaction = false;
                }
                if !self.named_by_pragmas {
                    self.close();
                }
                true
            }
            _ => false,
        }
    }

    /// `set transaction isolation level`, and settings that say the same.
    fn level(&mut self, parsed: &Parsed, set: &VariableSetStmt) -> bool {
        let for_session = set.name == "SESSION CHARACTERISTICS" || set.name == "default_transaction_isolation";
        let level = if matches!(set.name.as_str(), "TRANSACTION" | "SESSION CHARACTERISTICS") {
            option_level(&set.args)
        } else if LEVEL_SETTINGS.contains(&set.name.as_str()) {
            tree::strings(&set.args).first().and_then(|level| level.parse().ok())
        } else {
            return false;
        };
        if for_session && self.open.as_ref().is_none_or(|open| !open.in_transaction) {
            self.session_level = level;
            if let Some(open) = &mut self.open {
                open.level = level.or(open.level);
            }
            return true;
        }
        let open = self.open_at(parsed.from);
        open.from = open.from.min(parsed.from);
        open.level = level.or(open.level);
        true
    }

    fn function(
        &mut self,
        parsed: &Parsed,
        create: &pg_query::protobuf::CreateFunctionStmt,
        called: &BTreeSet<String>,
    ) {
        let name = tree::strings(&create.funcname).pop().unwrap_or_default();
        let is_named = self.open.as_ref().is_some_and(|open| open.name.is_some() && open.body.is_empty());
        if !is_named {
            self.close();
        }
        if functions::is_helper(create) || called.contains(&name) && !is_named {
            return;
        }
        let (read, schema) = (self.read, self.schema);
        budget::renew();
        let session = self.session_level;
        let open = self.open_at(parsed.from);
        open.from = open.from.min(parsed.from);
        open.to = parsed.to;
        let pragmas = std::mem::take(&mut open.pragmas);
        let (given, level) = (open.name.take(), open.level.or(session));
        self.open = None;
        let mut program = functions::program(read, schema, parsed, create);
        program.name = given.unwrap_or(program.name);
        program.level = program.level.or(level);
        finish(&mut program, pragmas);
        self.found.programs.push(program);
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.body.is_empty() {
            // What belongs to no program yet belongs to the next.
            if open.name.is_none() {
                self.pending.splice(0..0, open.pragmas);
            }
            return;
        }
        let span = self.read.source.span(open.from, open.to);
        let mut statements = open.assembler.statements;
        if let Some(first) = statements.first_mut() {
            first.unanalysed.extend(open.ddl);
        }
        let scope =
            if open.transactions > 0 && open.loose == 0 { Scope::OneTransaction } else { Scope::SeparateStatements };
        let mut around = Vec::new();
        if open.in_transaction {
            let hint = Some("end it with `commit`".to_owned());
            let why = "the transaction does not end in this file".to_owned();
            around.push(Unanalysed { span: span.clone(), why, hint });
            self.found.unanalysed.extend(around.clone());
        }
        let mut program = Program {
            name: open.name.unwrap_or_else(|| stem(self.read.source.name())),
            span,
            parameters: Vec::new(),
            level: open.level.or(self.session_level),
            scope,
            body: open.body,
            statements,
            pragmas: Vec::new(),
            frequency: None,
            origin: Origin::Statements,
            around,
        };
        program.parameters = parameters::of(self.schema, &program.statements);
        finish(&mut program, open.pragmas);
        self.found.programs.push(program);
    }
}

/// What a program's pragmas say of it.
fn finish(program: &mut Program, pragmas: Vec<Pragma>) {
    for pragma in &pragmas {
        match &pragma.kind {
            PragmaKind::Frequency(frequency) => program.frequency = Some(*frequency),
            PragmaKind::Parameter(told) => parameters::tell(&mut program.parameters, told),
            PragmaKind::Program { .. } | PragmaKind::AcceptUnsafe { .. } => {}
        }
    }
    program.pragmas = pragmas;
}

/// A file's name without its folder and ending.
fn stem(source: &str) -> String {
    Path::new(source).file_stem().map_or_else(|| source.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn word_end(text: &str, from: usize) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text[from..].find(|c| !word(c)).map_or(text.len(), |length| from + length.max(1))
}

/// The level among the options of `begin` or `set transaction`.
fn option_level(options: &[pg_query::Node]) -> Option<Isolation> {
    options.iter().find_map(|option| match &option.node {
        Some(NodeEnum::DefElem(option)) if option.defname == "transaction_isolation" => {
            option.arg.as_deref().and_then(tree::string).and_then(|level| level.parse().ok())
        }
        _ => None,
    })
}

/// Statements that make the schema, and belong to no program.
fn is_ddl(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::CreateStmt(_)
            | NodeEnum::CreateForeignTableStmt(_)
            | NodeEnum::AlterTableStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::ViewStmt(_)
            | NodeEnum::CreateTableAsStmt(_)
            | NodeEnum::CreateTrigStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::RuleStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::RenameStmt(_)
            | NodeEnum::CreateSchemaStmt(_)
            | NodeEnum::CreateEnumStmt(_)
            | NodeEnum::CompositeTypeStmt(_)
            | NodeEnum::CreateDomainStmt(_)
            | NodeEnum::CreateExtensionStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::GrantStmt(_)
            | NodeEnum::GrantRoleStmt(_)
            | NodeEnum::CreateRoleStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::CreateStatsStmt(_)
            | NodeEnum::VacuumStmt(_)
    )
}
