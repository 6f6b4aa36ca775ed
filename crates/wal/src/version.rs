//! Which PostgreSQL wrote a log, told by the magic number of its pages.

use std::fmt;

/// A major version whose log can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalVersion {
    /// PostgreSQL 14.
    V14,
    /// PostgreSQL 15.
    V15,
    /// PostgreSQL 16.
    V16,
    /// PostgreSQL 17.
    V17,
    /// PostgreSQL 18.
    V18,
}

impl WalVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::V14, Self::V15, Self::V16, Self::V17, Self::V18];

    /// `XLOG_PAGE_MAGIC` in `src/include/access/xlog_internal.h` of that version.
    #[must_use]
    pub const fn magic(self) -> u16 {
        match self {
            Self::V14 => 0xD10D,
            Self::V15 => 0xD110,
            Self::V16 => 0xD113,
            Self::V17 => 0xD116,
            Self::V18 => 0xD118,
        }
    }

    /// The version that writes this magic.
    #[must_use]
    pub fn of_magic(magic: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.magic() == magic)
    }

    /// The major version as a number.
    #[must_use]
    pub const fn major(self) -> u32 {
        14 + self as u32
    }
}

impl fmt::Display for WalVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.major())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_known_by_its_magic() {
        for version in WalVersion::ALL {
            assert_eq!(WalVersion::of_magic(version.magic()), Some(version));
        }
        assert_eq!(WalVersion::V18.major(), 18);
        assert_eq!(WalVersion::of_magic(0xD101), None, "13 is too old");
        assert_eq!(WalVersion::of_magic(WalVersion::V15.magic().swap_bytes()), None, "another byte order");
    }
}
