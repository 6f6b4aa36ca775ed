//! Accesses as one line of text each, for people, logs and tests.

use std::fmt;

use crate::access::{Access, AccessKind, Cause, LockStrength, Rows, TableLock, Term};
use crate::comparison::Comparison;

impl fmt::Display for Access {
    /// `update accounts[id = :from] reads balance, id writes balance`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}{}", self.kind, self.relation, self.rows)?;
        for (word, columns) in [("reads", &self.reads), ("writes", &self.writes)] {
            if !columns.is_empty() {
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                write!(formatter, " {word} {}", columns.join(", "))?;
            }
        }
        if !self.values.is_empty() {
            let values = self.values.iter().map(|(column, term)| format!("{column} = {term}"));
            write!(formatter, " values {}", values.collect::<Vec<_>>().join(", "))?;
        }
        if self.conditional {
            formatter.write_str(" perhaps")?;
        } else if self.may_miss {
            formatter.write_str(" if found")?;
        }
        match &self.cause {
            Cause::Statement => Ok(()),
            Cause::ForeignKey(name) => write!(formatter, " by foreign key {name}"),
            Cause::OnConflict => formatter.write_str(" by on conflict"),
            Cause::Trigger(name) => write!(formatter, " by trigger {name}"),
            Cause::Cascade(name) => write!(formatter, " by cascade of {name}"),
            Cause::Function(name) => write!(formatter, " by function {name}"),
            Cause::View(name) => write!(formatter, " by view {name}"),
        }
    }
}

impl fmt::Display for Rows {
    /// `[id = $1]`, `[id = $1]{owner = :owner}` if it is found, `{balance > 0, owner = :owner, place}` of a predicate, `[*]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One { key, terms, also, compared } => {
                let equality = |(column, term): (&String, &Term)| format!("{column} = {term}");
                let key: Vec<String> = key.iter().zip(terms).map(equality).collect();
                write!(formatter, "[{}]", key.join(", "))?;
                let compared = compared.iter().map(Comparison::to_string);
                let others: Vec<String> = also.iter().map(equality).chain(compared).collect();
                if others.is_empty() { Ok(()) } else { write!(formatter, "{{{}}}", others.join(", ")) }
            }
            Self::Where { columns, equal, compared } => {
                let column = |column: &String| {
                    let equal = equal.get(column).map(|term| format!("{column} = {term}"));
                    let of_column = compared.iter().filter(|comparison| comparison.column == *column);
                    let compared = of_column.map(Comparison::to_string);
                    let all: Vec<String> = equal.into_iter().chain(compared).collect();
                    if all.is_empty() { column.clone() } else { all.join(", ") }
                };
                write!(formatter, "{{{}}}", columns.iter().map(column).collect::<Vec<_>>().join(", "))
            }
            Self::All => formatter.write_str("[*]"),
        }
    }
}

impl fmt::Display for Comparison {
    /// `balance > 0`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.column, self.order.operator(), self.term)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) if name.starts_with(|c: char| c.is_ascii_digit()) => write!(formatter, "${name}"),
            Self::Parameter(name) => write!(formatter, ":{name}"),
            Self::Constant(constant) => formatter.write_str(constant),
            Self::Result { statement, column } => write!(formatter, "#{statement}.{column}"),
            Self::Unknown => formatter.write_str("?"),
        }
    }
}

impl fmt::Display for AccessKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => formatter.write_str("read"),
            Self::Update => formatter.write_str("update"),
            Self::Insert => formatter.write_str("insert"),
            Self::Delete => formatter.write_str("delete"),
            Self::Lock(strength) => write!(formatter, "lock for {strength}"),
            Self::LockTable(mode) => write!(formatter, "lock table in {mode} mode"),
            Self::Advisory { shared, transaction, may_fail } => {
                let words = [(*may_fail, "try "), (*shared, "shared "), (!*transaction, "session ")];
                words.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| formatter.write_str(word))?;
                formatter.write_str("advisory lock")
            }
        }
    }
}

impl fmt::Display for LockStrength {
    /// As in `select … for …`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::KeyShare => "key share",
            Self::Share => "share",
            Self::NoKeyUpdate => "no key update",
            Self::Update => "update",
        })
    }
}

impl fmt::Display for TableLock {
    /// As in `lock table … in … mode`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AccessShare => "access share",
            Self::RowShare => "row share",
            Self::RowExclusive => "row exclusive",
            Self::ShareUpdateExclusive => "share update exclusive",
            Self::Share => "share",
            Self::ShareRowExclusive => "share row exclusive",
            Self::Exclusive => "exclusive",
            Self::AccessExclusive => "access exclusive",
        })
    }
}
