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

/// A version that somebody asks for: a major (`15`), or one exact release (`15.20`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedVersion {
    /// The major version.
    pub major: u32,
    /// The release; any when it is none.
    pub minor: Option<u32>,
}

impl WantedVersion {
    /// Any release of a major version.
    #[must_use]
    pub fn major(major: u32) -> Self {
        Self { major, minor: None }
    }

    /// Whether this version will do.
    #[must_use]
    pub fn admits(self, version: PgVersion) -> bool {
        version.major == self.major && self.minor.is_none_or(|minor| version.minor == minor)
    }

    /// The exact release, if one was named.
    #[must_use]
    pub fn release(self) -> Option<PgVersion> {
        self.minor.map(|minor| PgVersion { major: self.major, minor })
    }
}

impl From<PgVersion> for WantedVersion {
    fn from(version: PgVersion) -> Self {
        Self { major: version.major, minor: Some(version.minor) }
    }
}

impl FromStr for WantedVersion {
    type Err = Error;

    /// Takes `15` and `15.20`, nothing else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let parsed = match text.split_once('.') {
            None => number(text).map(Self::major),
            Some((major, minor)) => {
                number(major).zip(number(minor)).map(|(major, minor)| Self { major, minor: Some(minor) })
            }
        };
        let found = || text.chars().take(80).collect();
        parsed.ok_or_else(|| Error::new("read a version like 15 or 15.20", Kind::UnsupportedVersion { found: found() }))
    }
}

impl fmt::Display for WantedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{minor}", self.major),
            None => write!(f, "{}", self.major),
        }
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
    fn a_wanted_version_is_a_major_or_an_exact_release() {
        let version = PgVersion { major: 15, minor: 20 };
        for (text, admits) in [("15", true), ("15.20", true), ("15.18", false), ("17", false)] {
            let wanted: WantedVersion = text.parse().expect(text);
            assert_eq!((wanted.to_string().as_str(), wanted.admits(version)), (text, admits));
        }
        for text in ["", "15.", ".20", "15.x", "+15", "15.20.1"] {
            text.parse::<WantedVersion>().expect_err(text);
        }
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
