//! WebP; of a moving image its first picture.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::codecs::{Codec, in_mode, without_alpha};
use super::geometry::Rect;
use super::orientation::Orientation;
use super::{Mode, Pixels};
use crate::error::{Error, Result};

pub(crate) struct WebP<'a> {
    decoder: WebPDecoder<Cursor<&'a [u8]>>,
    orientation: Orientation,
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::data(format!("a damaged WebP image: {error}"))
}

impl<'a> WebP<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|e| failed(&e))?;
        let exif = decoder.exif_metadata().ok().flatten();
        let orientation = exif.map_or(Orientation::UPRIGHT, |exif| Orientation::of_exif(&exif));
        Ok(Self { decoder, orientation })
    }
}

impl Codec for WebP<'_> {
    fn size(&self) -> (u32, u32) {
        self.decoder.dimensions()
    }

    fn orientation(&self) -> Orientation {
        self.orientation
    }

    fn decode(&mut self, mode: Mode, part: Rect, _wanted: (u32, u32)) -> Result<Pixels> {
        let (width, height) = self.decoder.dimensions();
        let room = self.decoder.output_buffer_size().ok_or_else(|| Error::data("a WebP image of too many pixels"))?;
        let mut data = vec![0; room];
        if self.decoder.is_animated() {
            self.decoder.read_frame(&mut data).map_err(|e| failed(&e))?;
        } else {
            self.decoder.read_image(&mut data).map_err(|e| failed(&e))?;
        }
        let data = if self.decoder.has_alpha() { without_alpha(&data, 4) } else { data };
        Ok(Pixels { data: in_mode(data, 3, mode), width, height, part })
    }
}
