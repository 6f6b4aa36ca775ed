//! Block references: which pages of which relations a record changes.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::error::Fault;
use crate::image::HEAP_PAGE_BYTES;
use crate::version::WalVersion;

/// The files of a relation: `RelFileNode`, since 16 `RelFileLocator`. Not the relation's OID: a rewrite changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelFile {
    /// OID of the tablespace; 1663 is `pg_default`.
    pub tablespace: u32,
    /// OID of the database; 0 for shared catalogs.
    pub database: u32,
    /// The file's number: `pg_relation_filenode()`.
    pub file: u32,
}

impl fmt::Display for RelFile {
    /// As `pg_waldump` prints it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.tablespace, self.database, self.file)
    }
}

/// Which of a relation's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fork {
    /// The rows.
    Main,
    /// The free space map.
    FreeSpace,
    /// The visibility map.
    Visibility,
    /// What an unlogged relation is reset to.
    Init,
}

/// How a page image is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageCompression {
    /// Not at all.
    None,
    /// PostgreSQL's own method.
    Pglz,
    /// LZ4, since 15.
    Lz4,
    /// Zstandard, since 15.
    Zstd,
}

/// A full page image; [`Record::page_image`](crate::Record::page_image) makes a page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where in the record it is.
    pub(crate) range: Range<usize>,
    /// Where the hole of zeros begins that was left out, bytes; there may be none.
    pub hole_offset: u16,
    /// How long it is, bytes; 0 if there is none.
    pub hole_bytes: u16,
    /// How the rest is compressed.
    pub compression: ImageCompression,
    /// Whether replay restores it (else it is there for consistency checks).
    pub applies: bool,
}

/// One block that a record refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number within the record.
    pub id: u8,
    /// The relation's files.
    pub relation: RelFile,
    /// Which of them.
    pub fork: Fork,
    /// The page's number in the file.
    pub number: u32,
    /// Whether replay makes the page anew.
    pub will_init: bool,
    /// The full page image, if the record has one.
    pub image: Option<Image>,
    /// Where in the record the block's own data is; empty if it has none.
    pub(crate) data: Range<usize>,
}

/// What the headers of a record's body say, before its data.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) blocks: Vec<Block>,
    pub(crate) origin: Option<u16>,
    pub(crate) top_xid: Option<u32>,
    pub(crate) main: Range<usize>,
}

// src/include/access/xlogrecord.h
const MAX_BLOCK_ID: u8 = 32;
const ID_DATA_SHORT: u8 = 255;
const ID_DATA_LONG: u8 = 254;
const ID_ORIGIN: u8 = 253;
const ID_TOP_XID: u8 = 252;
const FORK_MASK: u8 = 0x0F;
const HAS_IMAGE: u8 = 0x10;
const HAS_DATA: u8 = 0x20;
const WILL_INIT: u8 = 0x40;
const SAME_RELATION: u8 = 0x80;
const IMAGE_HAS_HOLE: u8 = 0x01;

/// Sizes that the headers announce; the data follows after all headers.
struct Announced {
    block: Block,
    image_bytes: usize,
    data_bytes: usize,
}

impl Layout {
    /// Reads the headers of `body`, the bytes after the record header, and finds the data behind them. Ranges are
    /// positions in the record, which begins `before` bytes before the body. Order and sizes as in the function
    /// `DecodeXLogRecord` of src/backend/access/transam/xlogreader.c.
    pub(crate) fn read(body: &[u8], before: usize, version: WalVersion) -> Result<Self, Fault> {
        let mut bytes = Bytes::new(body);
        let mut layout = Self::default();
        let mut announced = Vec::new();
        let mut data_total = 0;
        let mut main_bytes = 0;
        // The headers end where no more bytes are left than they announced.
        while bytes.rest().len() > data_total {
            let fault = |what| Fault::Blocks { what };
            match bytes.u8().ok_or(fault("no header"))? {
                ID_DATA_SHORT => main_bytes = bytes.u8().ok_or(fault("length of the main data"))?.into(),
                ID_DATA_LONG => {
                    let length = bytes.u32().ok_or(fault("length of the main data"))?;
                    main_bytes = usize::try_from(length).map_err(|_| fault("length of the main data"))?;
                }
                ID_ORIGIN => {
                    layout.origin = Some(bytes.u16().ok_or(fault("replication origin"))?);
                    continue;
                }
                ID_TOP_XID => {
                    layout.top_xid = Some(bytes.u32().ok_or(fault("top transaction"))?);
                    continue;
                }
                id if id <= MAX_BLOCK_ID => {
                    let previous = announced.last().map(|block: &Announced| (block.block.id, block.block.relation));
                    let block = block_header(id, &mut bytes, previous, version)?;
                    data_total += block.image_bytes + block.data_bytes;
                    announced.push(block);
                    continue;
                }
                _ => return Err(fault("unknown block number")),
            }
            data_total += main_bytes;
            // The main data's header is the last one.
            break;
        }
        if bytes.rest().len() != data_total {
            return Err(Fault::Blocks { what: "the data is not as long as announced" });
        }
        let mut at = before + body.len() - data_total;
        let mut next = |length: usize| {
            at += length;
            at - length..at
        };
        for Announced { mut block, image_bytes, data_bytes } in announced {
            if let Some(image) = &mut block.image {
                image.range = next(image_bytes);
            }
            block.data = next(data_bytes);
            layout.blocks.push(block);
        }
        layout.main = next(main_bytes);
        Ok(layout)
    }
}

fn block_header(
    id: u8,
    bytes: &mut Bytes<'_>,
    previous: Option<(u8, RelFile)>,
    version: WalVersion,
) -> Result<Announced, Fault> {
    let fault = |what| Fault::Blocks { what };
    if previous.is_some_and(|(last, _)| id <= last) {
        return Err(fault("block numbers do not rise"));
    }
    let flags = bytes.u8().ok_or(fault("block flags"))?;
    let data_bytes = usize::from(bytes.u16().ok_or(fault("length of the block's data"))?);
    if (flags & HAS_DATA != 0) != (data_bytes > 0) {
        return Err(fault("block data without its flag, or the other way round"));
    }
    let fork = match flags & FORK_MASK {
        0 => Fork::Main,
        1 => Fork::FreeSpace,
        2 => Fork::Visibility,
        3 => Fork::Init,
        _ => return Err(fault("unknown fork")),
    };
    let (image, image_bytes) = match flags & HAS_IMAGE {
        0 => (None, 0),
        _ => image_header(bytes, version).map(|(image, length)| (Some(image), length)).ok_or(fault("page image"))?,
    };
    let relation = if flags & SAME_RELATION == 0 {
        let mut number = || bytes.u32().ok_or(fault("relation"));
        RelFile { tablespace: number()?, database: number()?, file: number()? }
    } else {
        previous.map(|(_, relation)| relation).ok_or(fault("the same relation as no block before"))?
    };
    let number = bytes.u32().ok_or(fault("block number in the file"))?;
    let will_init = flags & WILL_INIT != 0;
    let block = Block { id, relation, fork, number, will_init, image, data: 0..0 };
    Ok(Announced { block, image_bytes, data_bytes })
}

fn image_header(bytes: &mut Bytes<'_>, version: WalVersion) -> Option<(Image, usize)> {
    let length = usize::from(bytes.u16()?);
    let hole_offset = bytes.u16()?;
    let flags = bytes.u8()?;
    let (compression, applies) = match version {
        WalVersion::V14 if flags & 0x02 != 0 => (ImageCompression::Pglz, flags & 0x04 != 0),
        WalVersion::V14 => (ImageCompression::None, flags & 0x04 != 0),
        _ if flags & 0x04 != 0 => (ImageCompression::Pglz, flags & 0x02 != 0),
        _ if flags & 0x08 != 0 => (ImageCompression::Lz4, flags & 0x02 != 0),
        _ if flags & 0x10 != 0 => (ImageCompression::Zstd, flags & 0x02 != 0),
        _ => (ImageCompression::None, flags & 0x02 != 0),
    };
    let hole_bytes = match (flags & IMAGE_HAS_HOLE != 0, compression) {
        (false, _) => 0,
        // What the image lacks.
        (true, ImageCompression::None) => u16::try_from(HEAP_PAGE_BYTES.checked_sub(length)?).ok()?,
        (true, _) => bytes.u16()?,
    };
    Some((Image { range: 0..0, hole_offset, hole_bytes, compression, applies }, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_followed_by_the_data_in_their_order() {
        let mut body = vec![0, HAS_DATA, 2, 0];
        for number in [1663_u32, 5, 16384, 7] {
            body.extend(number.to_le_bytes());
        }
        body.extend([
            1,
            SAME_RELATION | WILL_INIT,
            0,
            0,
            8,
            0,
            0,
            0,
            ID_ORIGIN,
            9,
            0,
            ID_DATA_SHORT,
            3,
            b'a',
            b'b',
            1,
            2,
            3,
        ]);
        let layout = Layout::read(&body, 24, WalVersion::V15).expect("sound");
        let relation = RelFile { tablespace: 1663, database: 5, file: 16384 };
        assert!(layout.blocks.iter().all(|block| block.relation == relation));
        assert_eq!((layout.blocks[0].number, layout.blocks[1].number), (7, 8));
        let at = |range: &Range<usize>| body[range.start - 24..range.end - 24].to_vec();
        assert_eq!((at(&layout.blocks[0].data), at(&layout.main)), (b"ab".to_vec(), vec![1, 2, 3]));
        assert_eq!((layout.origin, layout.blocks[1].will_init), (Some(9), true));
    }

    #[test]
    fn headers_that_do_not_add_up_are_refused() {
        let check = |body: &[u8]| assert!(Layout::read(body, 24, WalVersion::V18).is_err(), "{body:?}");
        check(&[ID_DATA_SHORT, 3, 1, 2]);
        check(&[ID_DATA_SHORT]);
        check(&[40, 0]);
        check(&[0, SAME_RELATION, 0, 0, 1, 0, 0, 0]);
        check(&[0, HAS_DATA, 0, 0]);
        check(&[ID_DATA_LONG, 255, 255, 255, 255, 1]);
    }
}
