//! The formats of images, behind one trait.

use super::geometry::Rect;
use super::orientation::Orientation;
use super::{Mode, Pixels, jpeg, png, webp};
use crate::error::{Error, Kind, Result};

/// An image of which the header was read.
pub(crate) trait Codec {
    /// Width and height, as the file has them.
    fn size(&self) -> (u32, u32);

    /// How it is turned before it is seen.
    fn orientation(&self) -> Orientation;

    /// All of its pixels, upright, where they can be decoded to where they are wanted; else false, and nothing is done.
    fn decode_into(&mut self, _mode: Mode, _to: &mut [u8]) -> Result<bool> {
        Ok(false)
    }

    /// Its pixels, or those of a part of it and some around it; perhaps fewer of them, where the part is wanted in
    /// a smaller size.
    fn decode(&mut self, mode: Mode, part: Rect, wanted: (u32, u32)) -> Result<Pixels>;
}

/// Reads an image's header.
pub(crate) fn open(bytes: &[u8], max_pixels: u64) -> Result<Box<dyn Codec + '_>> {
    let image: Box<dyn Codec> = match bytes {
        [0xFF, 0xD8, ..] => Box::new(jpeg::Jpeg::open(bytes, max_pixels)?),
        [0x89, b'P', b'N', b'G', ..] => Box::new(png::Png::open(bytes, max_pixels)?),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Box::new(webp::WebP::open(bytes)?),
        [] => return Err(Error::data("no bytes, where an image should be")),
        _ => return Err(other(bytes)),
    };
    let (width, height) = image.size();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels {
        return Err(Error::new(
            Kind::Data,
            format!(
                "the image says that it has {width} × {height} pixels, more than the {max_pixels} that max_pixels \
                 allows: it may be a decompression bomb"
            ),
        ));
    }
    Ok(image)
}

/// Why bytes are no image that is decoded here.
fn other(bytes: &[u8]) -> Error {
    let known = match bytes {
        [b'G', b'I', b'F', b'8', ..] => "GIF",
        [b'B', b'M', ..] => "BMP",
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "TIFF",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => "AVIF",
        [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', b'i', ..] => "HEIC",
        [0, 0, 0, 12, b'j', b'P', ..] | [0xFF, 0x4F, 0xFF, 0x51, ..] => "JPEG 2000",
        [0xFF, 0x0A, ..] => "JPEG XL",
        _ => {
            let start: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
            return Error::data(format!(
                "{} bytes that are no image: they begin with {}",
                bytes.len(),
                start.join(" ")
            ));
        }
    };
    Error::new(
        Kind::Unsupported,
        format!(
            "{known} images are not decoded by decode_images, which has JPEG, PNG and WebP: \
             cast_column(name, Image()) decodes them by Pillow"
        ),
    )
}

/// Pixels of four channels, without the last.
pub(crate) fn without_alpha(data: &[u8], channels: usize) -> Vec<u8> {
    data.chunks_exact(channels).flat_map(|pixel| pixel[..channels - 1].iter().copied()).collect()
}

/// Pixels in the channels that are wanted. `channels`: those that they have, without alpha.
pub(crate) fn in_mode(data: Vec<u8>, channels: usize, mode: Mode) -> Vec<u8> {
    match (channels, mode) {
        (1, Mode::Gray) | (3, Mode::Rgb) => data,
        (1, Mode::Rgb) => data.iter().flat_map(|v| [*v; 3]).collect(),
        // ITU-R BT.601-7, section 2.5.1, in 16 bits, as Pillow has it.
        _ => data
            .chunks_exact(3)
            .map(|p| {
                ((u32::from(p[0]) * 19595 + u32::from(p[1]) * 38470 + u32::from(p[2]) * 7471 + 0x8000) >> 16) as u8
            })
            .collect(),
    }
}
