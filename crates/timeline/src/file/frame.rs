//! One frame: what it is, which changes and times it spans, its payload, and a checksum over all of it.
//!
//! The head, 56 bytes, little-endian: kind (1), zero (3), stored bytes (4), raw bytes (4), CRC-32C of everything else (4),
//! first seq (8), last seq (8), first time in µs since 1970 (8), last time (8), last position in the server's log or 0 (8).

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Bytes before the payload.
pub const HEAD_BYTES: usize = 56;

/// The most that a payload may be, unpacked: a file that claims more is damaged.
pub const RAW_MOST_BYTES: usize = 256 << 20;

/// Deflate's level: 1 is more than half of what level 6 gains here, at a fifth of its time.
const LEVEL: u8 = 1;

/// Where the checksum is in the head.
const CRC_AT: usize = 12;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A [`super::Header`].
    Header,
    /// Changes.
    Block,
    /// A moment.
    Keyframe,
    /// An [`super::Ending`].
    End,
    /// Where the frames are.
    Index,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Header, Self::Block, Self::Keyframe, Self::End, Self::Index];

    const fn byte(self) -> u8 {
        match self {
            Self::Header => 1,
            Self::Block => 2,
            Self::Keyframe => 3,
            Self::End => 4,
            Self::Index => 5,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Which part of the log a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Number of its first change; of a keyframe's moment.
    pub first: u64,
    /// Number of its last change.
    pub last: u64,
    /// Time of the first, microseconds since 1970.
    pub first_us: i64,
    /// Time of the last.
    pub last_us: i64,
    /// Position of the last in the server's log, 0 if it has none.
    pub lsn: u64,
}

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What it holds.
    pub kind: Kind,
    /// Bytes of the payload as it is in the file.
    pub stored: usize,
    /// Bytes of the payload unpacked.
    pub raw: usize,
    /// What it is about.
    pub span: Span,
    crc: u32,
}

impl Head {
    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        (HEAD_BYTES + self.stored) as u64
    }

    /// Reads a head; `None` if these bytes are none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEAD_BYTES] = bytes.get(..HEAD_BYTES)?.try_into().ok()?;
        let half = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let whole = |at: usize| u64::from(half(at)) | u64::from(half(at + 4)) << 32;
        let span = Span {
            first: whole(16),
            last: whole(24),
            first_us: whole(32).cast_signed(),
            last_us: whole(40).cast_signed(),
            lsn: whole(48),
        };
        let head = Self {
            kind: Kind::of(bytes[0])?,
            stored: half(4) as usize,
            raw: half(8) as usize,
            span,
            crc: half(CRC_AT),
        };
        let is_sane = bytes[1..4] == [0; 3] && head.stored <= RAW_MOST_BYTES && head.raw <= RAW_MOST_BYTES;
        is_sane.then_some(head)
    }

    fn bytes(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0] = self.kind.byte();
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        // Both are at most RAW_MOST_BYTES.
        put(4, &u32::try_from(self.stored).unwrap_or(u32::MAX).to_le_bytes());
        put(8, &u32::try_from(self.raw).unwrap_or(u32::MAX).to_le_bytes());
        put(CRC_AT, &self.crc.to_le_bytes());
        put(16, &self.span.first.to_le_bytes());
        put(24, &self.span.last.to_le_bytes());
        put(32, &self.span.first_us.to_le_bytes());
        put(40, &self.span.last_us.to_le_bytes());
        put(48, &self.span.lsn.to_le_bytes());
        bytes
    }

    /// The payload unpacked, if head and payload are as they were written.
    pub fn unpack(&self, stored: &[u8]) -> Result<Vec<u8>, &'static str> {
        if !self.holds(stored) {
            return Err("its checksum is another");
        }
        let raw = decompress_to_vec_with_limit(stored, self.raw).map_err(|_| "it cannot be unpacked")?;
        if raw.len() == self.raw { Ok(raw) } else { Err("it is shorter than it says") }
    }

    /// Whether this is the payload that belongs to the head.
    pub fn holds(&self, stored: &[u8]) -> bool {
        stored.len() == self.stored && checksum(Self { crc: 0, ..*self }, stored) == self.crc
    }
}

/// The frame of a payload.
pub fn frame(kind: Kind, span: Span, raw: &[u8]) -> Vec<u8> {
    let stored = compress_to_vec(raw, LEVEL);
    let head = Head { kind, stored: stored.len(), raw: raw.len(), span, crc: 0 };
    let head = Head { crc: checksum(head, &stored), ..head };
    let mut bytes = Vec::with_capacity(HEAD_BYTES + stored.len());
    bytes.extend(head.bytes());
    bytes.extend(stored);
    bytes
}

fn checksum(head: Head, stored: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&head.bytes()), stored)
}
