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
        (Dtype::Uint8, Layout::Chw) => {
            for (channel, plane) in to.chunks_exact_mut(height * width).enumerate() {
                for (row, line) in plane.chunks_exact_mut(width).enumerate() {
                    fill(line, &image.data, from(row, 0) + channel, walk.right * channels as isize, |v| v);
                }
            }
        }
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
                    for ((channel, plane), table) in numbers.chunks_exact_mut(height * width).enumerate().zip(&table) {
                        for (row, line) in plane.chunks_exact_mut(width).enumerate() {
                            let step = walk.right * channels as isize;
                            fill(line, &image.data, from(row, 0) + channel, step, |v| table[usize::from(v)]);
                        }
                    }
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
