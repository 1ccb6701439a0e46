//! Where a compressed file can be read from without what comes before: points of the codec, and which rows begin near
//! them. Both are learnt while the file is read, and kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::inflate::{Place, WINDOW};

/// How far apart points are, in what the file decompresses to.
pub(crate) const SPACING: u64 = 8 << 20;

/// What a point of DEFLATE needs of what came before it, compressed.
const LEVEL: i32 = 1;

/// Where a decompressor can begin.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// The byte of the file.
    pub(crate) at: u64,
    /// What was made before it.
    pub(crate) out: u64,
    pub(crate) state: State,
}

/// What a decompressor has to know to begin at a point.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Nothing: a member, a stream or a frame begins.
    Start,
    /// A place in a member of gzip.
    Deflate {
        place: Place,
        /// The checksum and the length of what its member has before.
        crc: u32,
        length: u32,
        /// What matches may refer to, compressed.
        window: Bytes,
    },
    /// A block of bzip2 begins at a bit of the byte.
    Bzip2 {
        bit: u8,
        /// How large blocks are, and the checksum of those before.
        level: u8,
        sum: u32,
    },
    /// A block of xz begins.
    Xz {
        /// What its stream begins with.
        header: [u8; 12],
        /// Where the blocks of its stream end, and where the next stream begins.
        blocks: u64,
        next: u64,
    },
}

impl State {
    /// A place in a member of gzip; none where its window cannot be compressed, for lack of memory.
    pub(super) fn deflate(place: Place, window: &[u8], crc: u32, length: u32) -> Option<Self> {
        let window = zstd::bulk::compress(window, LEVEL).ok()?.into();
        Some(Self::Deflate { place, crc, length, window })
    }

    /// What matches may refer to.
    pub(super) fn window(window: &[u8]) -> Option<Vec<u8>> {
        zstd::bulk::decompress(window, WINDOW).ok()
    }
}

/// The points that a decompressor comes by.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// Where the last point is, if they are wanted.
    last: Option<u64>,
    pub(crate) points: Vec<Point>,
}

impl Learnt {
    /// After what was made the last point is.
    pub(super) fn after(last: u64) -> Self {
        Self { last: Some(last), points: Vec::new() }
    }

    /// Whether another point is wanted here. The larger a file, the further apart they are: there are about a thousand
    /// for each time that it doubles.
    pub(super) fn due(&self, out: u64) -> bool {
        self.last.is_some_and(|last| out >= last + SPACING.max(last / 1024))
    }

    pub(super) fn add(&mut self, point: Point) {
        self.last = Some(point.out);
        self.points.push(point);
    }
}

/// A place where a row begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where it is in what the file decompresses to.
    pub out: u64,
    /// Which row it is.
    pub row: u64,
    /// The lines before it.
    pub line: u64,
}

/// What is known of a compressed file.
#[derive(Debug, Default)]
pub struct Points(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    points: Vec<Arc<Point>>,
    marks: Vec<Mark>,
    /// The names of columns, where only the first line has them.
    names: Option<Vec<String>>,
    /// How many points and marks are kept elsewhere.
    kept: usize,
}

/// A point as it is kept, without its window.
#[derive(Serialize, Deserialize)]
enum Kept {
    Start,
    Deflate { place: Place, crc: u32, length: u32, window: usize },
    Bzip2 { bit: u8, level: u8, sum: u32 },
    Xz { header: [u8; 12], blocks: u64, next: u64 },
}

#[derive(Serialize, Deserialize)]
struct File {
    points: Vec<(u64, u64, Kept)>,
    marks: Vec<Mark>,
    names: Option<Vec<String>>,
}

impl Points {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last point at a place or before it.
    pub(crate) fn before(&self, out: u64) -> Option<Arc<Point>> {
        let known = self.lock();
        known.points[..known.points.partition_point(|point| point.out <= out)].last().cloned()
    }

    /// Where the last point is; the start if there are none.
    pub(crate) fn last(&self) -> u64 {
        self.lock().points.last().map_or(0, |point| point.out)
    }

    /// The first point after a place.
    pub(crate) fn after(&self, out: u64) -> Option<Arc<Point>> {
        let known = self.lock();
        known.points.get(known.points.partition_point(|point| point.out <= out)).cloned()
    }

    /// Points that were found; those that are known are known.
    pub(crate) fn found(&self, points: Vec<Point>) {
        let mut known = self.lock();
        for point in points {
            if known.points.last().is_none_or(|last| last.out < point.out) {
                known.points.push(Arc::new(point));
            }
        }
    }

    /// Whether there are points and marks enough that are not kept, or any if `all`.
    pub(crate) fn worth_keeping(&self, all: bool) -> bool {
        let known = self.lock();
        let new = (known.points.len() + known.marks.len()).saturating_sub(known.kept);
        new > 0 && (all || new >= (known.kept / 8).max(4))
    }

    /// A row begins here. Few of these are kept.
    pub fn reached(&self, mark: Mark) {
        let mut known = self.lock();
        let last = known.marks.last().map_or(0, |mark| mark.out);
        if mark.out >= last + SPACING.max(last / 1024) {
            known.marks.push(mark);
        }
    }

    /// The last place before a row, or at it, from which rows can be read.
    pub fn mark(&self, row: u64) -> Option<Mark> {
        let known = self.lock();
        known.marks[..known.marks.partition_point(|mark| mark.row <= row)].last().copied()
    }

    /// The names of columns.
    pub fn names(&self) -> Option<Vec<String>> {
        self.lock().names.clone()
    }

    /// The first line has these names of columns.
    pub fn named(&self, names: &[String]) {
        self.lock().names.get_or_insert_with(|| names.to_vec());
    }

    /// All of it as bytes.
    pub(crate) fn encoded(&self) -> Bytes {
        let mut known = self.lock();
        known.kept = known.points.len() + known.marks.len();
        let (mut points, mut windows) = (Vec::new(), Vec::new());
        for point in &known.points {
            let kept = match &point.state {
                State::Start => Kept::Start,
                &State::Bzip2 { bit, level, sum } => Kept::Bzip2 { bit, level, sum },
                &State::Xz { header, blocks, next } => Kept::Xz { header, blocks, next },
                State::Deflate { place, crc, length, window } => {
                    windows.extend_from_slice(window);
                    Kept::Deflate { place: place.clone(), crc: *crc, length: *length, window: window.len() }
                }
            };
            points.push((point.at, point.out, kept));
        }
        let file = File { points, marks: known.marks.clone(), names: known.names.clone() };
        let text = serde_json::to_vec(&file).unwrap_or_default();
        let mut all = (text.len() as u64).to_le_bytes().to_vec();
        all.extend_from_slice(&text);
        all.extend_from_slice(&windows);
        all.into()
    }

    /// What `encoded` made; nothing where it is not that.
    pub(crate) fn decoded(bytes: &Bytes) -> Option<Self> {
        let length = u64::from_le_bytes(*bytes.first_chunk()?) as usize;
        let file: File = serde_json::from_slice(bytes.get(8..length.checked_add(8)?)?).ok()?;
        let mut at = 8 + length;
        let mut points = Vec::new();
        for (place, out, kept) in file.points {
            let state = match kept {
                Kept::Start => State::Start,
                Kept::Bzip2 { bit, level, sum } => State::Bzip2 { bit, level, sum },
                Kept::Xz { header, blocks, next } => State::Xz { header, blocks, next },
                Kept::Deflate { place, crc, length, window } => {
                    let end = at.checked_add(window).filter(|end| *end <= bytes.len())?;
                    let window = bytes.slice(at..end);
                    at = end;
                    State::Deflate { place, crc, length, window }
                }
            };
            points.push(Arc::new(Point { at: place, out, state }));
        }
        let kept = points.len() + file.marks.len();
        Some(Self(Mutex::new(Known { points, marks: file.marks, names: file.names, kept })))
    }
}
