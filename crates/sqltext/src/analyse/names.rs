//! What names mean at one point of a statement: tables by alias, columns by table, queries by their `with`.

use pg_query::NodeEnum;
use pg_query::protobuf::{ColumnRef, Node};

use super::builder::{Builder, Source, UsedColumn};
use crate::access::Term;
use crate::tree;

/// The name of an output that stands for columns which could not be told.
pub const EVERYTHING: &str = "*";

/// Columns that every table has; what they hold changes whenever the row does.
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// The tables of one query level.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub entries: Vec<Entry>,
}

/// Something in a `from`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What its columns are qualified with; empty for a join's merged columns.
    pub alias: String,
    pub columns: Columns,
    /// The uses that a `for update` of this entry locks.
    pub lockable: Vec<usize>,
    /// Only names that are qualified find it (`old`, `new`, `excluded`).
    pub qualified_only: bool,
}

/// The columns of an entry.
#[derive(Debug, Clone)]
pub enum Columns {
    /// Of a relation, by the index of its use, with the names that its alias gives them.
    Relation { index: usize, names: Vec<(String, String)> },
    /// Of a query or function; `single` if it has at most one row.
    Derived { outputs: Vec<Output>, single: bool },
    /// Nobody knows: any name may be one of them.
    Unknown,
}

/// A column of a query's result.
#[derive(Debug, Clone)]
pub struct Output {
    pub name: String,
    /// The column that it passes on, when conditions on it are conditions on that.
    pub origin: Option<UsedColumn>,
    /// What it is, when it is a term.
    pub term: Term,
}

/// A query of a `with`.
#[derive(Debug, Clone)]
pub struct Cte {
    pub name: String,
    pub outputs: Vec<Output>,
    pub single: bool,
}

/// What a column reference means.
#[derive(Debug, Clone)]
pub enum Meaning {
    Used(UsedColumn),
    Derived(Term),
    Nothing,
}

impl Builder<'_> {
    /// Takes note of a column reference, and tells what it means.
    pub fn column(&mut self, reference: &ColumnRef) -> Meaning {
        let mut parts = Vec::new();
        for field in &reference.fields {
            match &field.node {
                Some(NodeEnum::AStar(_)) => {
                    self.star(&parts, reference.location);
                    return Meaning::Nothing;
                }
                _ => parts.extend(tree::string(field).map(str::to_owned)),
            }
        }
        let meaning = match parts.as_slice() {
            [name] => self.unqualified(name),
            [table, name] => self.qualified(table, name),
            [first, second, rest @ ..] => {
                let last = rest.last().unwrap_or(second);
                let by_schema = self.qualified(second, rest.first().unwrap_or(last));
                by_schema.or_else(|| self.qualified(first, second))
            }
            [] => None,
        };
        match meaning {
            Some(meaning) => {
                if let Meaning::Used(column) = &meaning {
                    self.touch(column.clone());
                }
                meaning
            }
            None => {
                let name = parts.join(".");
                self.say(
                    reference.location,
                    format!("column \"{name}\" does not exist"),
                    Some("is the schema complete?"),
                );
                Meaning::Nothing
            }
        }
    }

    /// Takes note that a column's value is used.
    pub fn touch(&mut self, column: UsedColumn) {
        let (index, name) = &column;
        if SYSTEM_COLUMNS.contains(&name.as_str()) {
            let columns = self.relation_of(*index).map(|relation| &relation.columns);
            let all: Vec<_> = columns.into_iter().flatten().map(|column| column.name.clone()).collect();
            self.uses[*index].reads.extend(all);
        } else {
            self.uses[*index].reads.insert(name.clone());
        }
        self.touched.push(column);
    }

    fn unqualified(&mut self, name: &str) -> Option<Meaning> {
        for scope in self.scopes.iter().rev() {
            let visible = || scope.entries.iter().filter(|entry| !entry.qualified_only);
            if let Some(meaning) = visible().find_map(|entry| entry.find(name)) {
                return Some(meaning);
            }
            // A whole row by its table's name.
            if let Some(entry) = visible().find(|entry| entry.alias == name) {
                let entry = entry.clone();
                return Some(self.whole(&entry));
            }
            if visible().any(|entry| matches!(entry.columns, Columns::Unknown)) {
                return Some(Meaning::Nothing);
            }
            // Of a relation that the schema does not have, any name may be a column.
            let unknown = visible().find_map(|entry| match &entry.columns {
                Columns::Relation { index, names } if names.is_empty() && self.relation_of(*index).is_none() => {
                    Some(*index)
                }
                _ => None,
            });
            if let Some(index) = unknown {
                return Some(Meaning::Used((index, name.to_owned())));
            }
        }
        None
    }

    fn qualified(&self, table: &str, name: &str) -> Option<Meaning> {
        let entry = self.entry(table)?;
        match &entry.columns {
            Columns::Unknown => Some(Meaning::Nothing),
            Columns::Relation { index, .. } if self.relation_of(*index).is_none() => {
                Some(Meaning::Used((*index, name.to_owned())))
            }
            _ => entry.find(name),
        }
    }

    /// The innermost entry of that alias.
    pub fn entry(&self, alias: &str) -> Option<&Entry> {
        self.scopes.iter().rev().find_map(|scope| scope.entries.iter().find(|entry| entry.alias == alias))
    }

    /// `*` and `t.*`, outside of a target list: everything is read.
    fn star(&mut self, qualifier: &[String], location: i32) {
        self.expand(qualifier, location);
    }

    /// The outputs that `*` or `t.*` stands for; all of them are read.
    pub fn expand(&mut self, qualifier: &[String], location: i32) -> Vec<Output> {
        let entries: Vec<Entry> = match qualifier {
            [] => self.scopes.last().map(|scope| scope.entries.clone()).unwrap_or_default(),
            [.., alias] => match self.entry(alias) {
                Some(entry) => vec![entry.clone()],
                None => {
                    let why = format!("missing FROM-clause entry for table \"{alias}\"");
                    self.say(location, why, None);
                    Vec::new()
                }
            },
        };
        let mut outputs = Vec::new();
        for entry in entries.iter().filter(|entry| qualifier.len() == 1 || !entry.qualified_only) {
            outputs.extend(self.outputs_of(entry, location));
        }
        outputs
    }

    fn outputs_of(&mut self, entry: &Entry, location: i32) -> Vec<Output> {
        match &entry.columns {
            Columns::Relation { index, names } => {
                for (_, column) in names {
                    self.touch((*index, column.clone()));
                }
                if names.is_empty() && self.relation_of(*index).is_none() {
                    self.say(location, "`*` of a relation whose columns are not known", None);
                    self.uses[*index].reads.insert(EVERYTHING.to_owned());
                    return vec![Output { name: EVERYTHING.to_owned(), origin: None, term: Term::Unknown }];
                }
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

    fn whole(&mut self, entry: &Entry) -> Meaning {
        self.outputs_of(entry, -1);
        Meaning::Nothing
    }

    /// The columns of a relation under an alias's names.
    pub fn named_columns(&self, index: usize, aliases: &[Node]) -> Vec<(String, String)> {
        let columns = self.relation_of(index).map(|relation| relation.columns.as_slice()).unwrap_or_default();
        let aliases = tree::strings(aliases);
        let name = |(at, column): (usize, &crate::schema::Column)| {
            (aliases.get(at).unwrap_or(&column.name).clone(), column.name.clone())
        };
        columns.iter().enumerate().map(name).collect()
    }
}

impl Entry {
    /// A relation's entry.
    pub fn relation(alias: &str, index: usize, names: Vec<(String, String)>) -> Self {
        let columns = Columns::Relation { index, names };
        Self { alias: alias.to_owned(), columns, lockable: vec![index], qualified_only: false }
    }

    /// What a name among its columns means.
    pub fn find(&self, name: &str) -> Option<Meaning> {
        match &self.columns {
            Columns::Relation { index, names } => {
                let column = names.iter().find(|(alias, _)| alias == name).map(|(_, column)| column.clone());
                let column = column.or_else(|| SYSTEM_COLUMNS.contains(&name).then(|| name.to_owned()))?;
                Some(Meaning::Used((*index, column)))
            }
            Columns::Derived { outputs, single } => {
                let output = outputs.iter().find(|output| output.name == name);
                if output.is_none() && outputs.iter().any(|output| output.name == EVERYTHING) {
                    return Some(Meaning::Nothing);
                }
                let output = output?;
                Some(match &output.origin {
                    Some(column) => Meaning::Used(column.clone()),
                    None if output.term != Term::Unknown || *single => Meaning::Derived(output.term.clone()),
                    None => Meaning::Nothing,
                })
            }
            Columns::Unknown => None,
        }
    }
}

impl Meaning {
    /// What an equality with it says of the other side.
    pub fn source(self) -> Option<Source> {
        match self {
            Self::Used(column) => Some(Source::Column(column)),
            Self::Derived(term) => Some(Source::Term(term)),
            Self::Nothing => None,
        }
    }
}
