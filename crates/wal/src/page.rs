//! Page headers: every 8 kB of the log says which version, timeline and position it is.

use pgstrata_units::Lsn;

use crate::bytes::Bytes;
use crate::error::Fault;
use crate::segment::{SegmentSize, Timeline};
use crate::version::WalVersion;

/// Bytes of a page: the default of `--with-wal-blocksize`, which no distribution changes. Others are refused.
pub const PAGE_BYTES: u64 = 8192;
/// Bytes of the header of most pages (`SizeOfXLogShortPHD`).
pub const SHORT_HEADER_BYTES: u64 = 24;
/// Bytes of the header of the first page of a segment (`SizeOfXLogLongPHD`).
pub const LONG_HEADER_BYTES: u64 = 40;

const FIRST_IS_CONTINUATION: u16 = 0x0001;
const LONG_HEADER: u16 = 0x0002;
const OVERWRITES_CONTINUATION: u16 = 0x0008;
const ALL_FLAGS: u16 = 0x000F;

/// The header of one page: `XLogPageHeaderData` and `XLogLongPageHeaderData` in `src/include/access/xlog_internal.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// Who wrote it.
    pub version: WalVersion,
    /// The timeline of the first record on the page.
    pub timeline: Timeline,
    /// The position of the page's first byte.
    pub address: Lsn,
    /// Bytes that are left of a record which began on an earlier page.
    pub remaining: u32,
    /// Whether the page begins with those bytes.
    pub continues: bool,
    /// Whether the record that an earlier page began was given up: after a crash its end was never written.
    pub overwrites: bool,
    /// What only the first page of a segment says.
    pub long: Option<LongHeader>,
}

/// What the first page of a segment says of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongHeader {
    /// The number that initdb gave the cluster.
    pub system_identifier: u64,
    /// Bytes of a segment.
    pub segment_size: SegmentSize,
}

impl PageHeader {
    /// Reads the header of the page that should be at `address`.
    pub fn read(page: &[u8], address: Lsn) -> Result<Self, Fault> {
        let mut bytes = Bytes::new(page);
        let header = Self::fields(&mut bytes).ok_or(Fault::PageTooShort { bytes: page.len() })??;
        if header.address != address {
            return Err(Fault::PageAddress { found: header.address });
        }
        Ok(header)
    }

    /// How many bytes it takes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        if self.long.is_some() { LONG_HEADER_BYTES } else { SHORT_HEADER_BYTES }
    }

    fn fields(bytes: &mut Bytes<'_>) -> Option<Result<Self, Fault>> {
        let magic = bytes.u16()?;
        let Some(version) = WalVersion::of_magic(magic) else { return Some(Err(Fault::Magic { found: magic })) };
        let flags = bytes.u16()?;
        if flags & !ALL_FLAGS != 0 {
            return Some(Err(Fault::PageFlags { found: flags }));
        }
        let timeline = Timeline(bytes.u32()?);
        let address = Lsn(bytes.u64()?);
        let remaining = bytes.u32()?;
        bytes.take(4)?;
        let long = if flags & LONG_HEADER != 0 {
            let system_identifier = bytes.u64()?;
            let (segment, page) = (bytes.u32()?, bytes.u32()?);
            let Some(segment_size) = SegmentSize::new(segment).filter(|_| u64::from(page) == PAGE_BYTES) else {
                return Some(Err(Fault::Sizes { segment, page }));
            };
            Some(LongHeader { system_identifier, segment_size })
        } else {
            None
        };
        let continues = flags & FIRST_IS_CONTINUATION != 0;
        let overwrites = flags & OVERWRITES_CONTINUATION != 0;
        Some(Ok(Self { version, timeline, address, remaining, continues, overwrites, long }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(magic: u16, flags: u16, address: u64) -> Vec<u8> {
        let mut page = Vec::new();
        page.extend(magic.to_le_bytes());
        page.extend(flags.to_le_bytes());
        page.extend(1_u32.to_le_bytes());
        page.extend(address.to_le_bytes());
        page.extend([0; 8]);
        page.extend(7_u64.to_le_bytes());
        page.extend((16_u32 << 20).to_le_bytes());
        page.extend(8192_u32.to_le_bytes());
        page
    }

    #[test]
    fn a_long_header_tells_the_cluster_and_the_segment_size() {
        let header = PageHeader::read(&page(0xD110, LONG_HEADER, 0x100_0000), Lsn(0x100_0000)).expect("a header");
        let expected = LongHeader { system_identifier: 7, segment_size: SegmentSize::DEFAULT };
        assert_eq!((header.version, header.long, header.bytes()), (WalVersion::V15, Some(expected), 40));
    }

    #[test]
    fn a_page_of_another_place_version_or_shape_is_refused() {
        let check = |page: &[u8], fault| assert_eq!(PageHeader::read(page, Lsn(0)), Err(fault));
        check(&page(0xD110, 0, 8192), Fault::PageAddress { found: Lsn(8192) });
        check(&page(0x10D1, 0, 0), Fault::Magic { found: 0x10D1 });
        check(&page(0xD110, 0x10, 0), Fault::PageFlags { found: 0x10 });
        check(&[0xD0; 1], Fault::PageTooShort { bytes: 1 });
        let mut odd = page(0xD118, LONG_HEADER, 0);
        odd[36] = 1;
        check(&odd, Fault::Sizes { segment: 16 << 20, page: 8193 });
    }
}
