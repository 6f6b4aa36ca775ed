//! The programs of a workload: what clients run, statement by statement, with branches and loops.
//!
//! Types only; [`crate::read_sources`] makes them out of SQL.

use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::position::Span;

/// All programs that run against one database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// In the order of the sources. Names are unique.
    pub programs: Vec<Program>,
    /// What belongs to no program and could not be analysed, such as a definition. Programs that it may concern have it in
    /// [`Program::around`].
    pub unanalysed: Vec<Unanalysed>,
}

/// One transaction program: a template that clients run with arguments of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// From its pragma, its function, or its file.
    pub name: String,
    /// From its first word to its last.
    pub span: Span,
    /// In the order in which the text names them; of a function, in the order of its signature.
    pub parameters: Vec<Parameter>,
    /// The isolation level that the text declares; nothing when it leaves that to the server's default.
    pub level: Option<Isolation>,
    /// Whether its statements are one transaction.
    pub scope: Scope,
    /// The paths through its statements.
    pub body: Vec<Node>,
    /// Its statements, in the order of the text. [`Node::Statement`] and [`crate::Term::Result`] count from 0 here.
    pub statements: Vec<Statement>,
    /// The comments that are addressed to pgstrata.
    pub pragmas: Vec<Pragma>,
    /// How often it runs, relative to the others: the pragma `frequency`.
    pub frequency: Option<f64>,
    /// Where it comes from.
    pub origin: Origin,
    /// What is not part of it and may change what it does, and could not be analysed: a definition of the schema that its
    /// tables depend on, an end that is not in the file.
    pub around: Vec<Unanalysed>,
}

/// What a program was in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Statements of an SQL file.
    Statements,
    /// A function or procedure in PL/pgSQL. Its statements are rewritten: variables are parameters.
    PlPgSql,
    /// A function or procedure in SQL.
    SqlFunction,
}

/// Whether the statements of a program are one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All together, between `begin` and `commit`.
    OneTransaction,
    /// Each on its own, as without `begin`.
    SeparateStatements,
}

/// A step of a program's paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// One of [`Program::statements`].
    Statement(usize),
    /// Exactly one of these; an empty one does nothing.
    Choice(Vec<Vec<Node>>),
    /// Any number of times, also none.
    Repeat(Vec<Node>),
}

/// One statement of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Where it stands.
    pub span: Span,
    /// Its text without comments around it and without its semicolon; parameters as `$1` or `:name`.
    pub text: String,
    /// The text for PostgreSQL's extended protocol: all parameters are `$1` to `$n`, in the order of `arguments`.
    pub prepared: String,
    /// What `$1` to `$n` of `prepared` are: names of [`Program::parameters`] or of earlier statements' `results`.
    pub arguments: Vec<String>,
    /// Names under which later statements use columns of this one's (single) row.
    pub results: Vec<ResultBinding>,
    /// What it does, indirectly too.
    pub accesses: Vec<Access>,
    /// What of it could not be analysed. If there is something, `accesses` are not all it does.
    pub unanalysed: Vec<Unanalysed>,
}

/// A later statement's argument that is a column of this statement's result: PL/pgSQL's `into`, psql's `\gset`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultBinding {
    /// The column of the result, as the server would name it.
    pub column: String,
    /// Its place in the result, from 0.
    pub index: usize,
    /// The name that later statements have among their `arguments`.
    pub variable: String,
}

/// A parameter of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Without its sigil: `1` of `$1`, `customer` of `:customer`.
    pub name: String,
    /// Its type in SQL, where a signature, a pragma or the column that it is compared with tells it.
    pub type_name: Option<String>,
    /// A value in SQL that a proof may use: the pragma `parameter`.
    pub example: Option<String>,
}

/// A comment addressed to pgstrata: `-- pgstrata: …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pragma {
    /// Where it stands.
    pub span: Span,
    /// What it says.
    pub kind: PragmaKind,
}

/// What a pragma says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PragmaKind {
    /// `program NAME [level]`: what follows is a program.
    Program {
        /// Its name.
        name: String,
        /// Its level, where one is said.
        level: Option<Isolation>,
    },
    /// `accept unsafe: REASON`: the finding is known and wanted.
    AcceptUnsafe {
        /// Why.
        reason: String,
    },
    /// `frequency NUMBER`.
    Frequency(f64),
    /// `parameter NAME TYPE [= EXAMPLE]`.
    Parameter(Parameter),
}

impl Eq for PragmaKind {}

/// Something that the analysis does not understand. Whoever decides must treat it as unsafe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanalysed {
    /// Where.
    pub span: Span,
    /// Why not: `dynamic SQL`, `function pay(bigint) is not known`.
    pub why: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Program {
    /// Everything of it, and around it, that could not be analysed.
    pub fn unanalysed(&self) -> impl Iterator<Item = &Unanalysed> {
        self.statements.iter().flat_map(|statement| &statement.unanalysed).chain(&self.around)
    }
}
