//! PNG.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, Reader, Transformations};

use super::codecs::{Codec, in_mode, without_alpha};
use super::geometry::Rect;
use super::orientation::Orientation;
use super::{Mode, Pixels};
use crate::error::{Error, Result};

pub(crate) struct Png<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::data(format!("a damaged PNG image: {error}"))
}

impl<'a> Png<'a> {
    pub(crate) fn open(bytes: &'a [u8], max_pixels: u64) -> Result<Self> {
        // What is beside the pixels may not take more than they do.
        let bytes_allowed = usize::try_from(max_pixels.saturating_mul(8)).unwrap_or(usize::MAX);
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: bytes_allowed });
        // 8 bits a channel, palettes as their colours; of 16 bits the upper 8.
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        let reader = decoder.read_info().map_err(|e| failed(&e))?;
        Ok(Self { reader })
    }
}

impl Codec for Png<'_> {
    fn size(&self) -> (u32, u32) {
        self.reader.info().size()
    }

    fn orientation(&self) -> Orientation {
        self.reader.info().exif_metadata.as_ref().map_or(Orientation::UPRIGHT, |exif| Orientation::of_exif(exif))
    }

    fn decode(&mut self, mode: Mode, part: Rect, _wanted: (u32, u32)) -> Result<Pixels> {
        let room = self.reader.output_buffer_size().ok_or_else(|| Error::data("a PNG image of too many pixels"))?;
        let mut data = vec![0; room];
        let frame = self.reader.next_frame(&mut data).map_err(|e| failed(&e))?;
        data.truncate(frame.buffer_size());
        if frame.bit_depth != BitDepth::Eight {
            return Err(Error::internal("a PNG image that was not expanded"));
        }
        let (data, channels) = match frame.color_type {
            ColorType::Grayscale => (data, 1),
            ColorType::GrayscaleAlpha => (without_alpha(&data, 2), 1),
            ColorType::Rgba => (without_alpha(&data, 4), 3),
            _ => (data, 3),
        };
        Ok(Pixels { data: in_mode(data, channels, mode), width: frame.width, height: frame.height, part })
    }
}
