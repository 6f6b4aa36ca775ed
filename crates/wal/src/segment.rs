//! Segments: the files of the log, their names, and which positions they hold.

use std::fmt;
use std::str::FromStr;

use pgstrata_units::Lsn;
use serde::{Deserialize, Serialize};

/// A timeline: a branch of the log's history; a promotion or a restore to a point in time begins a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline(pub u32);

impl fmt::Display for Timeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// How many bytes a segment file has: a power of two from 1 MB to 1 GB (`initdb --wal-segsize`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentSize(u32);

impl SegmentSize {
    /// 16 MB, unless initdb was told otherwise.
    pub const DEFAULT: Self = Self(16 << 20);

    /// `None` for a size that no server has (`IsValidWalSegSize` in `src/include/access/xlog_internal.h`).
    #[must_use]
    pub const fn new(bytes: u32) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= 1 << 20 && bytes <= 1 << 30 { Some(Self(bytes)) } else { None }
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0 as u64
    }

    /// The number of the segment that holds the byte at this position.
    #[must_use]
    pub const fn segment_of(self, lsn: Lsn) -> u64 {
        lsn.0 / self.bytes()
    }

    /// The position of the first byte of a segment.
    #[must_use]
    pub const fn start_of(self, segment: u64) -> Lsn {
        Lsn(segment * self.bytes())
    }

    /// How far into its segment a position is, in bytes.
    #[must_use]
    pub const fn offset_of(self, lsn: Lsn) -> u64 {
        lsn.0 % self.bytes()
    }
}

/// The name of a segment file: timeline and place, 24 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// Its timeline.
    pub timeline: Timeline,
    /// The upper 32 bits of the positions in it.
    pub upper: u32,
    /// Which segment of those with these upper bits; how many there are depends on the segment size.
    pub within: u32,
}

impl SegmentName {
    /// The file that holds segment `number` (`XLogFileName` in `src/include/access/xlog_internal.h`).
    #[must_use]
    pub fn of(timeline: Timeline, number: u64, size: SegmentSize) -> Self {
        let per_upper = (1_u64 << 32) / size.bytes();
        let part = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Self { timeline, upper: part(number / per_upper), within: part(number % per_upper) }
    }

    /// The segment's number: its position divided by the size.
    #[must_use]
    pub const fn number(self, size: SegmentSize) -> u64 {
        self.upper as u64 * ((1 << 32) / size.bytes()) + self.within as u64
    }

    /// The position of its first byte.
    #[must_use]
    pub const fn start(self, size: SegmentSize) -> Lsn {
        size.start_of(self.number(size))
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{:08X}{:08X}{:08X}", self.timeline.0, self.upper, self.within))
    }
}

/// A file name that is no segment's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a segment, 24 hexadecimal digits")]
pub struct BadSegmentName(pub String);

impl FromStr for SegmentName {
    type Err = BadSegmentName;

    /// Takes exactly the name; `.partial`, `.history` and `.backup` files are not segments.
    fn from_str(text: &str) -> Result<Self, BadSegmentName> {
        let bad = || BadSegmentName(text.to_owned());
        let digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        if text.len() != 24 || !text.bytes().all(digit) {
            return Err(bad());
        }
        let part = |from: usize| u32::from_str_radix(&text[from..from + 8], 16).map_err(|_| bad());
        Ok(Self { timeline: Timeline(part(0)?), upper: part(8)?, within: part(16)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_the_server() {
        let name: SegmentName = "00000001000000160000006F".parse().expect("a name");
        assert_eq!(name.start(SegmentSize::DEFAULT), "16/6F000000".parse().expect("a position"));
        assert_eq!(name.to_string(), "00000001000000160000006F");
        let small = SegmentSize::new(1 << 20).expect("1 MB");
        assert_eq!(
            SegmentName::of(Timeline(2), small.segment_of(Lsn(0x1_0010_0000)), small).to_string(),
            "000000020000000100000001"
        );
    }

    #[test]
    fn other_files_of_an_archive_are_no_segments() {
        for name in ["00000002.history", "00000001000000160000006F.partial", "00000001000000160000006f", "", "+"] {
            assert_eq!(name.parse::<SegmentName>(), Err(BadSegmentName(name.to_owned())));
        }
        assert_eq!(SegmentSize::new(3 << 20), None);
        assert_eq!(SegmentSize::new(1 << 31), None);
    }

    proptest! {
        #[test]
        fn a_position_is_in_the_segment_that_is_named_for_it(position: u64, exponent in 20_u32..=30) {
            let size = SegmentSize::new(1 << exponent).expect("a power of two");
            let number = size.segment_of(Lsn(position));
            let name = SegmentName::of(Timeline(1), number, size);
            prop_assert_eq!(name.number(size), number);
            prop_assert_eq!(name.start(size).0 + size.offset_of(Lsn(position)), position);
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }
    }
}
