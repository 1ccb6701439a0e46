//! Pixels to their place in a batch: turned, mirrored, in the order and the type that were asked for.

use super::{Dtype, Finished, Layout, Spec};
use crate::error::{Error, Result};

/// Writes an image into `to`, which has room for exactly it.
pub(super) fn place(image: &Finished, spec: &Spec, to: &mut [u8]) -> Result<()> {
    let channels = spec.channels();
    if to.len() != image.data.len() * spec.width() {
        return Err(Error::internal(format!("{} bytes for {} pixels", to.len(), image.data.len())));
    }
    let (width, height) = image.orientation.turned((image.width, image.height));
    let (height, width) = (height as usize, width as usize);
    let walk = image.orientation.walk((image.width, image.height), image.mirrored);
    let straight = walk.right == 1 && walk.down == width as isize;
    // Where the pixels of a row, as it is seen, lie.
    let from = |row: usize, column: usize| {
        (walk.start + row as isize * walk.down + column as isize * walk.right) as usize * channels
    };
    match (spec.dtype, spec.layout) {
        (Dtype::Uint8, Layout::Hwc) if straight => to.copy_from_slice(&image.data),
        (Dtype::Uint8, Layout::Hwc) => {
            for (row, line) in to.chunks_exact_mut(width * channels).enumerate() {
                for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                    let at = from(row, column);
                    pixel.copy_from_slice(&image.data[at..at + channels]);
                }
            }
        }
        (Dtype::Uint8, Layout::Chw) => planes(to, (height, width), &image.data, channels, walk.right, from, |_, v| v),
        (Dtype::Float32, layout) => {
            // SAFETY: every pattern of bits is a number; what is not aligned is left before and after.
            let (before, numbers, after) = unsafe { to.align_to_mut::<f32>() };
            if !before.is_empty() || !after.is_empty() {
                return Err(Error::internal("memory that is not aligned"));
            }
            // 256 values a channel: what each becomes.
            let table: Vec<[f32; 256]> = (0..channels).map(|channel| values(spec, channel)).collect();
            match layout {
                Layout::Chw => {
                    let of = |channel: usize, v: u8| table[channel][usize::from(v)];
                    planes(numbers, (height, width), &image.data, channels, walk.right, from, of);
                }
                Layout::Hwc => {
                    for (row, line) in numbers.chunks_exact_mut(width * channels).enumerate() {
                        for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                            let at = from(row, column);
                            for ((number, v), table) in pixel.iter_mut().zip(&image.data[at..]).zip(&table) {
                                *number = table[usize::from(*v)];
                            }
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Turns each row of pixels around.
pub(super) fn mirror(pixels: &mut [u8], width: usize, channels: usize) {
    for line in pixels.chunks_exact_mut(width * channels) {
        if channels == 3 {
            line.as_chunks_mut::<3>().0.reverse();
        } else {
            line.reverse();
        }
    }
}

/// Fills a plane for each channel. `from`: where the pixel of a row and a column lies; `right`: how many pixels further
/// the next one of a row does.
fn planes<T>(
    to: &mut [T],
    (height, width): (usize, usize),
    data: &[u8],
    channels: usize,
    right: isize,
    from: impl Fn(usize, usize) -> usize,
    of: impl Fn(usize, u8) -> T,
) {
    if channels != 3 || right.abs() != 1 {
        for (channel, plane) in to.chunks_exact_mut(height * width).enumerate() {
            for (row, line) in plane.chunks_exact_mut(width).enumerate() {
                fill(line, data, from(row, 0) + channel, right * channels as isize, |v| of(channel, v));
            }
        }
        return;
    }
    // All three at once: a pixel is read once.
    let (red, rest) = to.split_at_mut(height * width);
    let (green, blue) = rest.split_at_mut(height * width);
    let lines = red.chunks_exact_mut(width).zip(green.chunks_exact_mut(width)).zip(blue.chunks_exact_mut(width));
    for (row, ((red, green), blue)) in lines.enumerate() {
        let first = from(row, 0).min(from(row, width - 1));
        let pixels = data[first..first + 3 * width].as_chunks::<3>().0;
        let to = red.iter_mut().zip(green).zip(blue);
        let fill = |(((red, green), blue), pixel): (((&mut T, &mut T), &mut T), &[u8; 3])| {
            (*red, *green, *blue) = (of(0, pixel[0]), of(1, pixel[1]), of(2, pixel[2]));
        };
        if right > 0 {
            to.zip(pixels).for_each(fill);
        } else {
            to.zip(pixels.iter().rev()).for_each(fill);
        }
    }
}

/// Fills a line with every `step`-th byte from `at` on.
fn fill<T>(line: &mut [T], data: &[u8], at: usize, step: isize, of: impl Fn(u8) -> T) {
    if step > 0 {
        for (to, v) in line.iter_mut().zip(data[at..].iter().step_by(step as usize)) {
            *to = of(*v);
        }
    } else {
        for (to, v) in line.iter_mut().zip(data[..=at].iter().rev().step_by(step.unsigned_abs())) {
            *to = of(*v);
        }
    }
}

/// What each of the 256 values of a channel becomes.
fn values(spec: &Spec, channel: usize) -> [f32; 256] {
    let (mean, std) = spec.normalize.as_ref().map_or((0.0, 1.0), |(mean, std)| (mean[channel], std[channel]));
    std::array::from_fn(|v| (v as f32 / 255.0 - mean) / std)
}
