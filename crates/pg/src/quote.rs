//! Identifiers in SQL text: the one place where a name becomes part of a statement.
//!
//! Values are parameters, but for the simple query protocol, which has none: [`quote_literal`].
//!
//! The rule for names is that of PostgreSQL's own `quote_identifier`
//! (`src/backend/utils/adt/ruleutils.c`): a name stays bare when it is lower-case letters, digits and underscores, does
//! not start with a digit, and is no keyword with a grammatical role.

/// Keywords that cannot be a bare name everywhere in PostgreSQL 15, 17 and 18 together, sorted; quoting one of them
/// where a version would not need it does no harm.
///
/// Source: `select word from pg_get_keywords() where catcode <> 'U' order by word collate "C"` on each.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce", "collate",
    "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog", "current_date",
    "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "dec", "decimal",
    "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch",
    "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike",
    "in", "initially", "inner", "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull", "join",
    "json", "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query",
    "json_scalar", "json_serialize", "json_table", "json_value", "lateral", "leading", "least", "left", "like",
    "limit", "localtime", "localtimestamp", "merge_action", "national", "natural", "nchar", "none", "normalize",
    "not", "notnull", "null", "nullif", "numeric", "offset", "on", "only", "or", "order", "out", "outer", "overlaps",
    "overlay", "placing", "position", "precision", "primary", "real", "references", "returning", "right", "row",
    "select", "session_user", "setof", "similar", "smallint", "some", "substring", "symmetric", "system_user",
    "table", "tablesample", "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique",
    "user", "using", "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes",
    "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
    "xmlserialize", "xmltable",
];

/// The name as it must stand in SQL text, quoted when PostgreSQL would read it otherwise.
///
/// A name longer than 63 bytes is cut by the server, and one with a NUL byte is refused when it is sent.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    if is_bare(name) {
        return name.to_owned();
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for character in name.chars() {
        if character == '"' {
            quoted.push('"');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// The value as a string constant in SQL text, of a type that the server finds out, whatever `standard_conforming_strings`
/// says: the rule of PostgreSQL's own `quote_literal` (`src/backend/utils/adt/quote.c`).
#[must_use]
pub fn quote_literal(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    if value.contains('\\') {
        quoted.push_str(" E");
    }
    quoted.push('\'');
    for character in value.chars() {
        if matches!(character, '\'' | '\\') {
            quoted.push(character);
        }
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}

fn is_bare(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts_well = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    starts_well
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && KEYWORDS.binary_search(&name).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_only_when_they_must_be() {
        let check = [
            ("orders", "orders"),
            ("_t1", "_t1"),
            ("order", r#""order""#),
            ("Orders", r#""Orders""#),
            ("1st", r#""1st""#),
            ("two words", r#""two words""#),
            (r#"a"b"#, r#""a""b""#),
            ("x; drop table y", r#""x; drop table y""#),
            ("é", r#""é""#),
            ("a$", r#""a$""#),
            ("", r#""""#),
        ];
        for (name, expect) in check {
            assert_eq!(quote_identifier(name), expect);
        }
    }

    #[test]
    fn values_cannot_end_their_constant() {
        let check = [("5", "'5'"), ("it's", "'it''s'"), (r"a\'b", r" E'a\\''b'"), ("", "''")];
        for (value, expect) in check {
            assert_eq!(quote_literal(value), expect);
        }
    }

    #[test]
    fn the_keywords_are_sorted_as_the_search_needs() {
        assert!(KEYWORDS.is_sorted());
    }
}
