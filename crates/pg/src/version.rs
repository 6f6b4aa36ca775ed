//! PostgreSQL version numbers, as servers and their programs print them.
//!
//! It knows which majors pgstrata runs; it does not know what differs between them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind};

/// The oldest major version that pgstrata runs.
pub const OLDEST_MAJOR: u32 = 14;
/// The newest major version that pgstrata runs.
pub const NEWEST_MAJOR: u32 = 18;

/// A version such as 15.18. A development version or a beta (`18beta1`, `18devel`) has minor 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgVersion {
    /// The part that decides compatibility of data directories.
    pub major: u32,
    /// The bug-fix release.
    pub minor: u32,
}

impl PgVersion {
    /// The version from `server_version_num`: 150018 is 15.18 (since PostgreSQL 10).
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self { major: number / 10_000, minor: number % 10_000 }
    }

    /// Whether pgstrata can run this version as its own server.
    #[must_use]
    pub fn is_supported(self) -> bool {
        (OLDEST_MAJOR..=NEWEST_MAJOR).contains(&self.major)
    }

    /// The version itself when it is supported, else [`Kind::UnsupportedVersion`].
    pub fn supported(self) -> Result<Self, Error> {
        if self.is_supported() {
            return Ok(self);
        }
        Err(Error::new("use this PostgreSQL", Kind::UnsupportedVersion { found: self.to_string() }))
    }
}

impl FromStr for PgVersion {
    type Err = Error;

    /// Takes `15.18`, and what `postgres --version` prints: `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    fn from_str(text: &str) -> Result<Self, Error> {
        // The product's own name stands in brackets before the number, the distribution's after it.
        let word = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        let refuse = || {
            let found = text.chars().take(80).collect::<String>().trim().to_owned();
            Error::new("read the version of PostgreSQL", Kind::UnsupportedVersion { found })
        };
        let word = word.ok_or_else(refuse)?;
        let (major, rest) = leading_number(word).ok_or_else(refuse)?;
        let minor = rest.strip_prefix('.').and_then(leading_number).map_or(0, |(minor, _)| minor);
        Ok(Self { major, minor })
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl serde::Serialize for PgVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().map(|number| (number, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, major: u32, minor: u32) {
        assert_eq!(text.parse::<PgVersion>().expect(text), PgVersion { major, minor });
    }

    #[test]
    fn versions_are_read_from_what_programs_print() {
        check("15.18", 15, 18);
        check("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", 15, 18);
        check("pg_basebackup (PostgreSQL) 18beta1", 18, 0);
        check("postgres (PostgreSQL) 19devel", 19, 0);
        check("postgres (EnterpriseDB Advanced Server) 16.4.1", 16, 4);
    }

    #[test]
    fn text_without_a_number_is_refused_and_quoted() {
        let error = "command not found".parse::<PgVersion>().expect_err("no version in it");
        assert!(matches!(error.kind(), Kind::UnsupportedVersion { found } if found == "command not found"));
        "99999999999".parse::<PgVersion>().expect_err("does not fit");
    }

    #[test]
    fn versions_are_ordered_and_bounded() {
        assert!(PgVersion { major: 15, minor: 18 } < PgVersion { major: 16, minor: 0 });
        assert_eq!(PgVersion::from_number(150_018), PgVersion { major: 15, minor: 18 });
        assert!(!PgVersion { major: 13, minor: 22 }.is_supported());
        assert!(PgVersion { major: 18, minor: 0 }.is_supported());
        let error = PgVersion { major: 19, minor: 0 }.supported().expect_err("too new");
        assert!(error.hint().is_some());
    }
}
