//! Images as arrays of pixels: JPEG, PNG and WebP, cut out, resized and turned, straight into the memory of a batch.
//!
//! What a row's image becomes is a function of its bytes, of the step's options, and, where chance has a part in it, of
//! a key that names the row. So it is the same on any number of threads, workers and machines.

mod codecs;
mod column;
mod geometry;
mod jpeg;
mod orientation;
mod place;
mod png;
mod webp;

use arrow_schema::{DataType, Field, FieldRef};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::rng::Rng;
pub use column::decode;
use geometry::{Rect, Target};
use orientation::Orientation;

/// Where the type of a column says that it has pixels, and the order of their dimensions.
pub const PIXELS: &str = "rowstream.pixels";

/// How an image is made to have the size that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The whole image, whatever its proportions.
    Area,
    /// The middle of it, as large as the proportions allow.
    Crop,
    /// A part of it by chance.
    RandomResizedCrop,
}

/// How pixels are weighed when there are more of them than are wanted, or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Each of an area as much as the others.
    Box,
    /// Linear, over all pixels that a new one covers.
    Bilinear,
    /// Cubic, likewise.
    Bicubic,
    /// Lanczos with three lobes, likewise.
    Lanczos,
}

/// The order of the dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// Rows, columns, channels.
    #[serde(rename = "HWC")]
    Hwc,
    /// Channels, rows, columns.
    #[serde(rename = "CHW")]
    Chw,
}

/// The type of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// As images have them.
    Uint8,
    /// From 0 to 1, or normalized.
    Float32,
}

/// The channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Red, green and blue.
    #[serde(rename = "RGB")]
    Rgb,
    /// Lightness.
    #[serde(rename = "L")]
    Gray,
}

/// The step of a plan that decodes a column's images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The column of a row.
    pub column: String,
    /// Rows and columns of pixels; each image's own where absent.
    pub size: Option<(u32, u32)>,
    /// How it is made to have that size.
    pub resize: Resize,
    /// How pixels are weighed.
    pub filter: Filter,
    /// The order of the dimensions.
    pub layout: Layout,
    /// The type of the numbers.
    pub dtype: Dtype,
    /// The channels.
    pub mode: Mode,
    /// How often an image is mirrored, from 0 to 1.
    pub flip: f64,
    /// The least and the most part of an image's area that chance may choose.
    pub scale: (f64, f64),
    /// The least and the most width of that part, as a ratio to its height.
    pub ratio: (f64, f64),
    /// What is taken off each channel, and what it is divided by, from 0 to 1.
    pub normalize: Option<(Vec<f32>, Vec<f32>)>,
    /// The key of chance.
    pub seed: u64,
    /// An image that says it has more pixels is an error.
    pub max_pixels: u64,
}

impl Spec {
    /// What names a row of which only the image is known: its content. Nothing, where chance has no part.
    pub fn content_key(&self, bytes: &[u8]) -> u64 {
        if self.flip == 0.0 && self.resize != Resize::RandomResizedCrop {
            return 0;
        }
        twox_hash::XxHash3_64::oneshot(bytes)
    }

    /// How many channels an image has.
    pub(crate) fn channels(&self) -> usize {
        match self.mode {
            Mode::Rgb => 3,
            Mode::Gray => 1,
        }
    }

    /// The bytes of one number.
    pub(crate) fn width(&self) -> usize {
        match self.dtype {
            Dtype::Uint8 => 1,
            Dtype::Float32 => 4,
        }
    }

    /// The bytes of a row, where all have the same.
    pub(crate) fn row_bytes(&self) -> Option<usize> {
        self.size.map(|(height, width)| height as usize * width as usize * self.channels() * self.width())
    }

    /// The type of the column.
    pub fn data_type(&self) -> DataType {
        let number = match self.dtype {
            Dtype::Uint8 => DataType::UInt8,
            Dtype::Float32 => DataType::Float32,
        };
        let item = |of: DataType| -> FieldRef { Arc::new(Field::new("item", of, true)) };
        // The outermost list says what it is.
        let marked = |field: FieldRef| -> FieldRef {
            let layout = match self.layout {
                Layout::Hwc => "HWC",
                Layout::Chw => "CHW",
            };
            Arc::new(Field::clone(&field).with_metadata([(PIXELS.to_owned(), layout.to_owned())]))
        };
        let channels = self.channels() as i32;
        let fixed = |of: DataType, n: i32| DataType::FixedSizeList(item(of), n);
        match (self.size, self.layout) {
            (Some((height, width)), Layout::Hwc) => {
                let rows = fixed(fixed(number, channels), width as i32);
                DataType::FixedSizeList(marked(item(rows)), height as i32)
            }
            (Some((height, width)), Layout::Chw) => {
                let planes = fixed(fixed(number, width as i32), height as i32);
                DataType::FixedSizeList(marked(item(planes)), channels)
            }
            (None, Layout::Hwc) => DataType::List(marked(item(DataType::List(item(fixed(number, channels)))))),
            (None, Layout::Chw) => {
                DataType::FixedSizeList(marked(item(DataType::List(item(DataType::List(item(number)))))), channels)
            }
        }
    }

    /// Checks that it makes sense.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(Kind::Value, format!("decode_images: {what}")));
        if let Some((height, width)) = self.size
            && (height == 0 || width == 0 || u64::from(height) * u64::from(width) > 1 << 28)
        {
            return wrong(format!("size is two numbers of pixels from 1 on, not {height} × {width}"));
        }
        if !(0.0..=1.0).contains(&self.flip) {
            return wrong(format!("flip is a probability from 0 to 1, not {}", self.flip));
        }
        let (least, most) = self.scale;
        if !(0.0 < least && least <= most && most <= 1.0) {
            return wrong(format!("scale is two parts of the area, rising, up to 1, not ({least}, {most})"));
        }
        let (least, most) = self.ratio;
        if !(0.0 < least && least <= most && most.is_finite()) {
            return wrong(format!("ratio is two ratios of width to height, rising, not ({least}, {most})"));
        }
        if let Some((mean, std)) = &self.normalize {
            if mean.len() != self.channels() || std.len() != self.channels() {
                return wrong(format!("normalize is a mean and a deviation for each of {} channels", self.channels()));
            }
            if std.iter().any(|s| *s == 0.0 || !s.is_finite()) || mean.iter().any(|m| !m.is_finite()) {
                return wrong("normalize has a deviation of zero, or what is no number".into());
            }
            if self.dtype == Dtype::Uint8 {
                return wrong("normalize gives dtype=\"float32\", not uint8".into());
            }
        }
        Ok(())
    }
}

/// Pixels of an image, as a decoder gives them: 8 bits a channel, rows of columns of channels.
pub(crate) struct Pixels {
    pub(crate) data: Vec<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Where in them the part lies that was asked for.
    pub(crate) part: Rect,
}

thread_local! {
    /// The tables and buffers of resizing, which are used again.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

/// Pixels in the size that is wanted, not yet turned.
struct Finished {
    data: Vec<u8>,
    /// As they lie.
    width: u32,
    height: u32,
    orientation: Orientation,
    mirrored: bool,
}

/// An image whose header was read, and what is to become of it.
struct Opened<'a> {
    image: Box<dyn codecs::Codec + 'a>,
    orientation: Orientation,
    mirrored: bool,
    /// The part that is wanted, and width and height of the result, both as the file has them.
    part: Rect,
    wanted: (u32, u32),
}

impl<'a> Opened<'a> {
    /// Reads an image's header. `key`: what names its row.
    fn new(bytes: &'a [u8], spec: &Spec, key: &[u64]) -> Result<Self> {
        let image = codecs::open(bytes, spec.max_pixels)?;
        let orientation = image.orientation();
        let size = image.size();
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::data("an image without pixels"));
        }
        let mut rng = Rng::keyed(key);
        let Target { part, size: wanted } = geometry::target(orientation.turned(size), spec, &mut rng);
        let mirrored = spec.flip > 0.0 && geometry::chance(&mut rng) < spec.flip;
        let part = orientation.untouched(part, size);
        Ok(Self { image, orientation, mirrored, part, wanted: orientation.turned(wanted) })
    }

    /// Height and width of the result, as it is seen.
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.orientation.turned(self.wanted);
        (height, width)
    }

    /// Decodes it into `to`, which has room for exactly it.
    fn write(mut self, spec: &Spec, to: &mut [u8]) -> Result<()> {
        let size = self.image.size();
        let whole = |size: (u32, u32)| Rect { x: 0.0, y: 0.0, width: size.0.into(), height: size.1.into() };
        let as_it_is = self.wanted == size && self.part == whole(size);
        let straight =
            (spec.layout, spec.dtype) == (Layout::Hwc, Dtype::Uint8) && self.orientation == Orientation::UPRIGHT;
        if as_it_is && straight && !self.mirrored && self.image.decode_into(spec.mode, to)? {
            return Ok(());
        }
        let pixels = self.image.decode(spec.mode, self.part, self.wanted)?;
        let (width, height) = self.wanted;
        let same = pixels.part == whole((pixels.width, pixels.height)) && (pixels.width, pixels.height) == self.wanted;
        if straight && !same {
            resized(&pixels, spec, self.wanted, to)?;
            if self.mirrored {
                place::mirror(to, width as usize, spec.channels());
            }
            return Ok(());
        }
        let data = if same {
            pixels.data
        } else {
            let mut data = vec![0; width as usize * height as usize * spec.channels()];
            resized(&pixels, spec, self.wanted, &mut data)?;
            data
        };
        let finished = Finished { data, width, height, orientation: self.orientation, mirrored: self.mirrored };
        place::place(&finished, spec, to)
    }
}

/// Writes the wanted part of some pixels, in a size, into what has room for exactly it.
fn resized(pixels: &Pixels, spec: &Spec, (width, height): (u32, u32), to: &mut [u8]) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| Error::internal(format!("an image was not resized: {e}"));
    let kind = match spec.mode {
        Mode::Rgb => PixelType::U8x3,
        Mode::Gray => PixelType::U8,
    };
    let filter = match spec.filter {
        Filter::Box => FilterType::Box,
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
    let from = ImageRef::new(pixels.width, pixels.height, &pixels.data, kind).map_err(|e| failed(&e))?;
    let mut to = Image::from_slice_u8(width, height, to, kind).map_err(|e| failed(&e))?;
    let Rect { x, y, width, height } = pixels.part;
    // What was computed may reach beyond the edge by the smallest of numbers.
    let (width, height) = (width.min(f64::from(pixels.width) - x), height.min(f64::from(pixels.height) - y));
    let options =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).crop(x, y, width, height).use_alpha(false);
    RESIZER.with_borrow_mut(|resizer| resizer.resize(&from, &mut to, &options)).map_err(|e| failed(&e))
}
