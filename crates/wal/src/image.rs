//! Pages as the log keeps them whole: holes filled, compression undone.
//!
//! Source: `RestoreBlockImage` in src/backend/access/transam/xlogreader.c.

use pgstrata_tuple::value;

use crate::block::{Block, Image, ImageCompression};
use crate::record::Record;

/// Bytes of a table's page: the default of `--with-blocksize`, which no distribution changes.
pub const HEAP_PAGE_BYTES: usize = 8192;

/// Why there is no page to be had from an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The record has no image of this block.
    #[error("the record holds no image of the page")]
    Missing,
    /// Its compressed bytes do not unpack to a page.
    #[error("the {0:?} image of the page does not unpack")]
    Packed(ImageCompression),
    /// Its bytes and its hole do not make a page.
    #[error("the image and its hole make no page of 8192 bytes")]
    Length,
}

impl Record {
    /// The page that the record holds of a block, as it was right after the change; its header's position is older.
    pub fn page_image(&self, block: &Block) -> Result<Vec<u8>, ImageError> {
        let image = block.image.as_ref().ok_or(ImageError::Missing)?;
        unpack(image, self.image_data(image))
    }
}

fn unpack(image: &Image, stored: &[u8]) -> Result<Vec<u8>, ImageError> {
    let (hole_offset, hole_bytes) = (usize::from(image.hole_offset), usize::from(image.hole_bytes));
    let length =
        HEAP_PAGE_BYTES.checked_sub(hole_bytes).filter(|rest| hole_offset <= *rest).ok_or(ImageError::Length)?;
    let packed = ImageError::Packed(image.compression);
    let unpacked = match image.compression {
        ImageCompression::None => stored.to_vec(),
        ImageCompression::Pglz => value::pglz(stored, length).ok_or(packed)?,
        ImageCompression::Lz4 => value::lz4(stored, length).ok_or(packed)?,
        ImageCompression::Zstd => unpack_zstd(stored, length).ok_or(packed)?,
    };
    if unpacked.len() != length {
        return Err(ImageError::Length);
    }
    let (before, after) = unpacked.split_at(hole_offset);
    let mut page = Vec::with_capacity(HEAP_PAGE_BYTES);
    page.extend_from_slice(before);
    page.resize(hole_offset + hole_bytes, 0);
    page.extend_from_slice(after);
    Ok(page)
}

fn unpack_zstd(stored: &[u8], length: usize) -> Option<Vec<u8>> {
    // One byte more than a page may have, so that longer content is noticed and not cut off.
    let mut page = vec![0; length + 1];
    let unpacked = ruzstd::decoding::FrameDecoder::new().decode_all(stored, &mut page).ok()?;
    page.truncate(unpacked);
    (unpacked == length).then_some(page)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image(compression: ImageCompression, hole_offset: u16, hole_bytes: u16) -> Image {
        Image { range: 0..0, hole_offset, hole_bytes, compression, applies: true }
    }

    #[test]
    fn the_hole_is_filled_with_zeros_where_it_was() {
        let stored = [vec![1; 100], vec![2; 200]].concat();
        let page = unpack(&image(ImageCompression::None, 100, 7892), &stored).expect("a page");
        assert_eq!(page, [vec![1; 100], vec![0; 7892], vec![2; 200]].concat());
    }

    #[test]
    fn bytes_that_make_no_page_are_refused() {
        let check = |image: Image, stored: &[u8], error| assert_eq!(unpack(&image, stored), Err(error));
        check(image(ImageCompression::None, 0, 0), &[0; 8191], ImageError::Length);
        check(image(ImageCompression::None, 8000, 8000), &[0; 192], ImageError::Length);
        check(image(ImageCompression::None, 0, 9000), &[], ImageError::Length);
        check(image(ImageCompression::Pglz, 0, 0), &[7], ImageError::Packed(ImageCompression::Pglz));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(stored: Vec<u8>, hole_offset: u16, hole_bytes: u16, method in 0_usize..4) {
            let method = [ImageCompression::None, ImageCompression::Pglz, ImageCompression::Lz4, ImageCompression::Zstd][method];
            if let Ok(page) = unpack(&image(method, hole_offset, hole_bytes), &stored) {
                prop_assert_eq!(page.len(), HEAP_PAGE_BYTES);
            }
        }
    }
}
