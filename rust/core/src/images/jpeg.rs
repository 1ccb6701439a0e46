//! JPEG, by `libjpeg-turbo-rs`, whose pixels are those of libjpeg-turbo, which Pillow has.

use libjpeg_turbo_rs::{ColorSpace, DecodeWarning, Decoder, JpegError, PixelFormat, ScalingFactor};

use super::codecs::{Codec, in_mode};
use super::geometry::Rect;
use super::orientation::Orientation;
use super::{Mode, Pixels};
use crate::error::{Error, Kind, Result};

pub(crate) struct Jpeg<'a> {
    bytes: &'a [u8],
    /// What read the header, until it decodes.
    decoder: Option<Decoder<'a>>,
    header: Header,
    max_pixels: usize,
}

/// What the header of an image says.
struct Header {
    size: (u32, u32),
    orientation: Orientation,
    space: ColorSpace,
    /// Where the height stands, if the pixels come in one sequence from top to bottom.
    height_at: Option<usize>,
}

/// How many times smaller an image is decoded where that is enough: half the size takes as long as all of it.
const SCALES: [u32; 2] = [8, 4];

/// How many times larger than wanted the pixels stay at least, so that what is averaged of them is as good as of all.
const LEFT: f64 = 2.0;

/// Lines below a part that are decoded with it: its colours depend on some of them.
const BELOW: f64 = 16.0;

/// Pixels around a part that its own depend upon, by the resampling of colours and of sizes.
const AROUND: f64 = 4.0;

/// Damage that was passed over.
fn undamaged(warnings: &[DecodeWarning]) -> Result<()> {
    match warnings.first() {
        Some(warning) => Err(Error::data(format!("a damaged JPEG image: {warning:?}"))),
        None => Ok(()),
    }
}

fn failed(error: &JpegError) -> Error {
    match error {
        JpegError::Unsupported(what) => Error::new(Kind::Unsupported, format!("a JPEG image: {what}")),
        other => Error::data(format!("a damaged JPEG image: {other}")),
    }
}

impl<'a> Jpeg<'a> {
    pub(crate) fn open(bytes: &'a [u8], max_pixels: u64) -> Result<Self> {
        let max_pixels = usize::try_from(max_pixels).unwrap_or(usize::MAX);
        let decoder = decoder(bytes, max_pixels)?;
        let header = decoder.header();
        let header = Header {
            size: (header.width.into(), header.height.into()),
            orientation: Orientation::new(decoder.exif_orientation().unwrap_or(1).into()),
            space: decoder.jpeg_color_space(),
            height_at: height_of_one_scan(bytes),
        };
        Ok(Self { bytes, decoder: Some(decoder), header, max_pixels })
    }

    fn decoder(&mut self) -> Result<Decoder<'a>> {
        self.decoder.take().map_or_else(|| decoder(self.bytes, self.max_pixels), Ok)
    }
}

/// What decodes an image, into the channels that it has.
fn decoder(bytes: &[u8], max_pixels: usize) -> Result<Decoder<'_>> {
    let mut decoder = Decoder::new(bytes).map_err(|e| failed(&e))?;
    decoder.set_max_pixels(max_pixels);
    decoder.set_output_format(match decoder.jpeg_color_space() {
        ColorSpace::Cmyk | ColorSpace::Ycck => PixelFormat::Cmyk,
        ColorSpace::Grayscale => PixelFormat::Grayscale,
        _ => PixelFormat::Rgb,
    });
    Ok(decoder)
}

/// Where a sequential image of one scan says its height: with a smaller number there, what is below is not decoded.
fn height_of_one_scan(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut height, mut components) = (2, None, 0);
    loop {
        let [0xFF, marker] = *bytes.get(at..at + 2)? else { return None };
        let length = usize::from(u16::from_be_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?));
        match marker {
            0xFF => {
                at += 1;
                continue;
            }
            0xC0 | 0xC1 => {
                height = Some(at + 5);
                components = *bytes.get(at + 9)?;
            }
            0xC2..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return None,
            0xDA => return height.filter(|_| bytes.get(at + 4) == Some(&components)),
            _ => {}
        }
        at += 2 + length;
    }
}

impl Codec for Jpeg<'_> {
    fn size(&self) -> (u32, u32) {
        self.header.size
    }

    fn orientation(&self) -> Orientation {
        self.header.orientation
    }

    fn decode_into(&mut self, mode: Mode, to: &mut [u8]) -> Result<bool> {
        let straight = match self.header.space {
            ColorSpace::Cmyk | ColorSpace::Ycck => false,
            ColorSpace::Grayscale => mode == Mode::Gray,
            _ => mode == Mode::Rgb,
        };
        if straight {
            let info = self.decoder()?.decode_image_into(to).map_err(|e| failed(&e))?;
            undamaged(&info.warnings)?;
        }
        Ok(straight)
    }

    fn decode(&mut self, mode: Mode, part: Rect, wanted: (u32, u32)) -> Result<Pixels> {
        let (width, height) = self.size();
        // So much larger than is wanted: the transform gives fewer pixels at once.
        let larger = (part.width / f64::from(wanted.0)).min(part.height / f64::from(wanted.1));
        let of = SCALES.into_iter().find(|of| larger >= LEFT * f64::from(*of)).unwrap_or(1);
        let (scaled_w, scaled_h) = (width.div_ceil(of), height.div_ceil(of));
        // The last pixels may stand for fewer.
        let times = 1.0 / f64::from(of);
        let mut part =
            Rect { x: part.x * times, y: part.y * times, width: part.width * times, height: part.height * times };
        let (left, top) = ((part.x - AROUND).floor().max(0.0), (part.y - AROUND).floor().max(0.0));
        let right = (part.x + part.width + AROUND).ceil().min(scaled_w.into());
        let mut bottom = (part.y + part.height + AROUND).ceil().min(scaled_h.into());
        let mut cut = bottom * f64::from(of) + BELOW;
        let lower: Vec<u8>;
        let mut decoder = match self.header.height_at {
            Some(at) if cut < 0.9 * f64::from(height) => {
                let said = (cut as u16).to_be_bytes();
                lower = [&self.bytes[..at], &said, &self.bytes[at + 2..]].concat();
                decoder(&lower, self.max_pixels)?
            }
            _ => {
                cut = height.into();
                self.decoder()?
            }
        };
        bottom = bottom.min((cut / f64::from(of)).ceil());
        if of > 1 {
            decoder.set_scale(ScalingFactor::try_new(1, of).map_err(|e| failed(&e))?);
        }
        let cropped = (right - left) * (bottom - top) < 0.9 * f64::from(scaled_w) * (cut / f64::from(of));
        if cropped {
            decoder.set_crop_region(left as usize, top as usize, (right - left) as usize, (bottom - top) as usize);
        }
        let image = decoder.decode_image().map_err(|e| failed(&e))?;
        undamaged(&image.warnings)?;
        let (width, height) = (image.width as u32, image.height as u32);
        if cropped {
            // A part begins with a block of pixels, so it may be wider than was asked for; its right end is what was.
            // Some kinds of images are decoded whole.
            if width < scaled_w {
                part.x -= right - f64::from(width);
            }
            if f64::from(height) <= bottom - top {
                part.y -= top;
            }
        }
        let (data, channels) = match self.header.space {
            ColorSpace::Cmyk | ColorSpace::Ycck => (of_cmyk(&image.data), 3),
            ColorSpace::Grayscale => (image.data, 1),
            _ => (image.data, 3),
        };
        Ok(Pixels { data: in_mode(data, channels, mode), width, height, part })
    }
}

/// Red, green and blue of inverted cyan, magenta, yellow and black, as Adobe's programs write them, and as Pillow
/// converts them.
fn of_cmyk(data: &[u8]) -> Vec<u8> {
    data.chunks_exact(4)
        .flat_map(|pixel| {
            let light = u32::from(pixel[3]);
            [0, 1, 2].map(|i| {
                let product = u32::from(255 - pixel[i]) * light + 128;
                (light - (((product >> 8) + product) >> 8).min(light)) as u8
            })
        })
        .collect()
}
