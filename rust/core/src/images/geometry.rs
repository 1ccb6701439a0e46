//! Which part of an image is wanted, and in which size.

use super::{Resize, Spec};
use crate::rng::Rng;

/// A part of an image, in pixels, which need not be whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// A part of an image, and the width and height that it is to have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    pub(crate) part: Rect,
    pub(crate) size: (u32, u32),
}

/// A number from 0 up to 1.
pub(crate) fn chance(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// What is wanted of an image of a width and a height, both as it is seen.
pub(crate) fn target((width, height): (u32, u32), spec: &Spec, rng: &mut Rng) -> Target {
    let (w, h) = (f64::from(width), f64::from(height));
    let whole = Rect { x: 0.0, y: 0.0, width: w, height: h };
    let Some((rows, columns)) = spec.size else { return Target { part: whole, size: (width, height) } };
    let size = (columns, rows);
    let part = match spec.resize {
        Resize::Area => whole,
        Resize::Crop => {
            let (columns, rows) = (f64::from(columns), f64::from(rows));
            let times = (w / columns).min(h / rows);
            let (part_w, part_h) = (columns * times, rows * times);
            Rect { x: (w - part_w) / 2.0, y: (h - part_h) / 2.0, width: part_w, height: part_h }
        }
        Resize::RandomResizedCrop => random(width, height, spec, rng),
    };
    Target { part, size }
}

/// A part by chance, as torchvision's `RandomResizedCrop` chooses it ("Going deeper with convolutions", Szegedy et al.,
/// 2014, section 6): its area is a part of the image's, the logarithm of its ratio is uniform; after ten that do not
/// fit, the middle, as large as the ratios allow.
fn random(width: u32, height: u32, spec: &Spec, rng: &mut Rng) -> Rect {
    let (w, h) = (f64::from(width), f64::from(height));
    let ((least, most), (flat, wide)) = (spec.scale, (spec.ratio.0.ln(), spec.ratio.1.ln()));
    for _ in 0..10 {
        let area = w * h * (least + (most - least) * chance(rng));
        let ratio = (flat + (wide - flat) * chance(rng)).exp();
        let (part_w, part_h) = ((area * ratio).sqrt().round(), (area / ratio).sqrt().round());
        if part_w >= 1.0 && part_w <= w && part_h >= 1.0 && part_h <= h {
            let y = rng.below((h - part_h) as u64 + 1) as f64;
            let x = rng.below((w - part_w) as u64 + 1) as f64;
            return Rect { x, y, width: part_w, height: part_h };
        }
    }
    let ratio = w / h;
    let (part_w, part_h) = if ratio < spec.ratio.0 {
        (w, (w / spec.ratio.0).round().clamp(1.0, h))
    } else if ratio > spec.ratio.1 {
        ((h * spec.ratio.1).round().clamp(1.0, w), h)
    } else {
        (w, h)
    };
    Rect { x: ((w - part_w) / 2.0).floor(), y: ((h - part_h) / 2.0).floor(), width: part_w, height: part_h }
}
