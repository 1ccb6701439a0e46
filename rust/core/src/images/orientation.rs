//! How an image is turned before it is seen: the tag `Orientation` of EXIF.

use super::geometry::Rect;

/// One of the eight ways, 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Orientation(u8);

/// The steps through pixels that lie as the file has them, in the order in which they are seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) start: isize,
    pub(crate) right: isize,
    pub(crate) down: isize,
}

impl Orientation {
    /// As it lies.
    pub(crate) const UPRIGHT: Self = Self(1);

    /// What a file says; as it lies where that is none of the eight.
    pub(crate) fn new(tag: u16) -> Self {
        Self(if (1..=8).contains(&tag) { tag as u8 } else { 1 })
    }

    /// What EXIF data say, with or without the six bytes before it.
    pub(crate) fn of_exif(exif: &[u8]) -> Self {
        Self::new(tag(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)).unwrap_or(1))
    }

    fn is_sideways(self) -> bool {
        self.0 >= 5
    }

    /// A width and a height, turned, or turned back.
    pub(crate) fn turned(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.is_sideways() { (height, width) } else { (width, height) }
    }

    /// A part of the image as it is seen, in the image as it lies, which has this width and height.
    pub(crate) fn untouched(self, part: Rect, (width, height): (u32, u32)) -> Rect {
        let Rect { x, y, width: w, height: h } = part;
        let (from_right, from_below) =
            (|x: f64, w: f64| f64::from(width) - x - w, |y: f64, h: f64| f64::from(height) - y - h);
        let at = |x, y| Rect { x, y, width: w, height: h };
        let sideways = |x, y| Rect { x, y, width: h, height: w };
        match self.0 {
            2 => at(from_right(x, w), y),
            3 => at(from_right(x, w), from_below(y, h)),
            4 => at(x, from_below(y, h)),
            5 => sideways(y, x),
            6 => sideways(y, from_below(x, w)),
            7 => sideways(from_right(y, h), from_below(x, w)),
            8 => sideways(from_right(y, h), x),
            _ => part,
        }
    }

    /// The way through pixels of this width and height, as they lie.
    pub(crate) fn walk(self, (width, height): (u32, u32), mirrored: bool) -> Walk {
        let (w, h) = (width as isize, height as isize);
        let (last_x, last_y) = (w - 1, (h - 1) * w);
        let (start, right, down) = match self.0 {
            2 => (last_x, -1, w),
            3 => (last_x + last_y, -1, -w),
            4 => (last_y, 1, -w),
            5 => (0, w, 1),
            6 => (last_y, -w, 1),
            7 => (last_x + last_y, -w, -1),
            8 => (last_x, w, -1),
            _ => (0, 1, w),
        };
        if !mirrored {
            return Walk { start, right, down };
        }
        let seen = if self.is_sideways() { h } else { w };
        Walk { start: start + right * (seen - 1), right: -right, down }
    }
}

/// The tag 0x0112 of the first directory of a TIFF.
fn tag(tiff: &[u8]) -> Option<u16> {
    let big = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let two = |at: usize| -> Option<u16> {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let four = |at: usize| -> Option<usize> {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) } as usize)
    };
    let directory = four(4)?;
    let entries = usize::from(two(directory)?);
    (0..entries).map(|i| directory + 2 + 12 * i).find(|at| two(*at) == Some(0x0112)).and_then(|at| two(at + 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way, on an image of 3 × 2 pixels that are numbered as they lie: as Pillow's `exif_transpose` has them.
    #[test]
    fn pixels_are_seen_as_they_should_be() {
        let seen = |tag: u16, mirrored: bool| -> Vec<isize> {
            let orientation = Orientation::new(tag);
            let (width, height) = orientation.turned((3, 2));
            let walk = orientation.walk((3, 2), mirrored);
            (0..height as isize)
                .flat_map(|y| (0..width as isize).map(move |x| walk.start + x * walk.right + y * walk.down))
                .collect()
        };
        assert_eq!(seen(1, false), [0, 1, 2, 3, 4, 5]);
        assert_eq!(seen(2, false), [2, 1, 0, 5, 4, 3]);
        assert_eq!(seen(3, false), [5, 4, 3, 2, 1, 0]);
        assert_eq!(seen(4, false), [3, 4, 5, 0, 1, 2]);
        assert_eq!(seen(5, false), [0, 3, 1, 4, 2, 5]);
        assert_eq!(seen(6, false), [3, 0, 4, 1, 5, 2]);
        assert_eq!(seen(7, false), [5, 2, 4, 1, 3, 0]);
        assert_eq!(seen(8, false), [2, 5, 1, 4, 0, 3]);
        assert_eq!(seen(1, true), [2, 1, 0, 5, 4, 3]);
        assert_eq!(seen(6, true), [0, 3, 1, 4, 2, 5]);
    }

    /// A part, found where the walk finds its pixels.
    #[test]
    fn parts_are_where_the_walk_finds_them() {
        let size = (7, 5);
        for tag in 1..=8 {
            let orientation = Orientation::new(tag);
            let walk = orientation.walk(size, false);
            let part = Rect { x: 1.0, y: 2.0, width: 3.0, height: 2.0 };
            let mut want: Vec<isize> =
                (2..4).flat_map(|y| (1..4).map(move |x| walk.start + x * walk.right + y * walk.down)).collect();
            want.sort_unstable();
            let raw = orientation.untouched(part, size);
            let found: Vec<isize> = (raw.y as isize..(raw.y + raw.height) as isize)
                .flat_map(|y| (raw.x as isize..(raw.x + raw.width) as isize).map(move |x| y * 7 + x))
                .collect();
            assert_eq!(found, want, "{tag}");
        }
    }
}
