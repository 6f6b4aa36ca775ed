//! Names of relations, and identifiers in quotes where PostgreSQL wants them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The schema of unqualified names, unless a `search_path` says otherwise.
pub const DEFAULT_SCHEMA: &str = "public";

/// A relation's name with its schema, as the catalogue spells them (folded to lower case unless quoted in SQL).
///
/// Shown and serialized as SQL would write it: `accounts` in `public`, else `bank.accounts`; parts that need quotes
/// have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationName {
    schema: String,
    name: String,
}

impl RelationName {
    /// A relation of the schema `public`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::in_schema(DEFAULT_SCHEMA, name)
    }

    /// A relation of some schema.
    #[must_use]
    pub fn in_schema(schema: &str, name: &str) -> Self {
        Self { schema: schema.to_owned(), name: name.to_owned() }
    }

    /// The schema, without quotes.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The name without its schema and without quotes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Both parts in SQL, always with the schema.
    #[must_use]
    pub fn qualified(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema == DEFAULT_SCHEMA {
            formatter.pad(&quoted(&self.name))
        } else {
            formatter.pad(&self.qualified())
        }
    }
}

/// Text that is no name of a relation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a relation, expected `name` or `schema.name`")]
pub struct InvalidName(pub String);

impl FromStr for RelationName {
    type Err = InvalidName;

    /// Reads `name`, `schema.name`, and quoted parts; the parts are folded as PostgreSQL folds them.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parts = parts(text).ok_or_else(|| InvalidName(text.to_owned()))?;
        match parts.as_slice() {
            [name] => Ok(Self::new(name)),
            [schema, name] => Ok(Self::in_schema(schema, name)),
            _ => Err(InvalidName(text.to_owned())),
        }
    }
}

impl Serialize for RelationName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RelationName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An identifier as SQL needs it: bare when PostgreSQL reads it back as the same name, else in double quotes.
#[must_use]
pub fn quoted(identifier: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    let bare = identifier.starts_with(plain)
        && identifier.chars().all(|c| plain(c) || c.is_ascii_digit())
        && RESERVED.binary_search(&identifier).is_err();
    if bare { identifier.to_owned() } else { format!("\"{}\"", identifier.replace('"', "\"\"")) }
}

/// Reserved words of PostgreSQL 18 and those that may only be functions or types (manual, appendix C), sorted.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// The dotted parts, unquoted and folded; nothing when a quote does not close or a part is empty.
fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let part;
        if let Some(inside) = rest.strip_prefix('"') {
            let (name, after) = quoted_part(inside)?;
            part = name;
            rest = after;
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            part = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
        }
        if part.is_empty() || part.contains('\0') {
            return None;
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// What stands before the closing quote, with doubled quotes made single, and what follows.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '"' {
            name.push(character);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return Some((name, &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_from_what_they_show() {
        for (schema, name) in [("public", "accounts"), ("bank", "accounts"), ("Bank", "a\".b"), ("public", "order")] {
            let relation = RelationName::in_schema(schema, name);
            assert_eq!(relation.to_string().parse(), Ok(relation.clone()), "{relation}");
            assert_eq!(relation.qualified().parse(), Ok(relation));
        }
        assert_eq!("Accounts".parse(), Ok(RelationName::new("accounts")));
    }

    #[test]
    fn texts_that_are_no_names_are_refused() {
        for text in ["", ".", "a.", "a.b.c", "\"a", "\"\"", "\"a\"b"] {
            assert!(text.parse::<RelationName>().is_err(), "{text}");
        }
    }

    #[test]
    fn identifiers_are_quoted_only_where_they_must_be() {
        assert!(RESERVED.is_sorted());
        assert_eq!(
            [quoted("a_1"), quoted("Ab"), quoted("1a"), quoted("user")],
            ["a_1", "\"Ab\"", "\"1a\"", "\"user\""]
        );
    }
}
