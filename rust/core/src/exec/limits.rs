//! How much a stream reads and decodes ahead: of the budget, the lanes and where the files are.

use std::ops::Range;

/// What all lanes together should have in flight: memory that is touched for the first time costs more than it saves.
const IN_FLIGHT: u64 = 64 << 20;

/// The most pieces that are open far away before the consumer comes to them, of all lanes.
const AHEAD: u64 = 64;

/// The most small pieces on this machine that are open before the consumer comes to them, of all lanes.
const SMALL: u64 = 32;

/// The bytes of a unit: a part of a lane's share, within what decodes well.
pub(super) const UNIT: Range<u64> = 128 << 10..2 << 20;

/// The bytes of a column that are read at once; a page that is longer is read whole.
pub(super) const WINDOW: Range<u64> = 64 << 10..4 << 20;

/// What the limits follow from.
pub(super) struct Asked {
    /// The bytes that decoded rows of the process may take.
    pub(super) rows: u64,
    /// The bytes that may be on their way from other machines.
    pub(super) prefetch_bytes: u64,
    /// The threads that decode.
    pub(super) threads: usize,
    pub(super) lanes: usize,
    /// The pieces of all lanes.
    pub(super) pieces: usize,
    pub(super) columns: usize,
    /// The bytes that an open piece takes at least.
    pub(super) floor: u64,
    /// The bytes of a piece, on average.
    pub(super) piece: u64,
    /// Whether the files are on another machine.
    pub(super) far: bool,
}

/// How much the readers of a stream read and decode before it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// The bytes of a unit of rows.
    pub(super) unit: u64,
    /// The bytes of a column that are read at once.
    pub(super) window: u64,
    /// The bytes that a reader of a remote object may read ahead.
    pub(super) prefetch_bytes: u64,
    /// The pieces of a lane that are opened before the consumer comes to them.
    pub(super) prefetched: usize,
    /// The units that a reader may have ready: with many lanes each waits long for its turn, and one is enough.
    pub(super) ready_units: usize,
    /// The threads that may decompress a piece: several where few pieces are open.
    pub(super) threads: usize,
    /// Whether the files are on another machine.
    pub(super) far: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unit: UNIT.end,
            window: WINDOW.end,
            prefetch_bytes: 0,
            prefetched: 0,
            ready_units: 1,
            threads: 1,
            far: false,
        }
    }
}

impl Limits {
    pub(super) fn new(asked: &Asked) -> Self {
        let (lanes, columns) = (asked.lanes.max(1) as u64, asked.columns.max(1) as u64);
        let share = (asked.rows / 4).min(IN_FLIGHT) / lanes;
        let room = (asked.rows / 2 / asked.floor.max(1)) as usize;
        let many = asked.lanes > asked.threads;
        // Of small pieces, as many as are a unit of rows.
        let small = (UNIT.end / asked.piece.max(1)).min(SMALL / lanes) as usize;
        let mut made = Self {
            unit: (share / 4).clamp(UNIT.start, UNIT.end),
            window: (share / 4 / columns).clamp(WINDOW.start, WINDOW.end),
            prefetch_bytes: asked.prefetch_bytes / lanes,
            prefetched: if many { 0 } else { asked.threads.div_ceil(asked.lanes.max(1)).max(small).min(room) },
            ready_units: if many { 1 } else { 3 },
            threads: 1,
            far: asked.far,
        };
        if asked.far {
            // As many pieces are open as it takes to have the bytes of a lane on their way.
            let pieces = (made.prefetch_bytes / asked.piece.max(1)).min(AHEAD / lanes) as usize;
            made.prefetched = made.prefetched.max(pieces.min(room).max(1));
            // A request costs more than what it brings.
            let readers = lanes * (1 + made.prefetched as u64);
            made.window = (asked.prefetch_bytes / readers / columns).clamp(WINDOW.start, WINDOW.end);
        }
        let open = asked.lanes.max(1).saturating_mul(1 + made.prefetched).min(asked.pieces.max(1));
        made.threads = (asked.threads / open).max(1);
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lanes: usize, far: bool) -> Asked {
        Asked {
            rows: 192 << 20,
            prefetch_bytes: 64 << 20,
            threads: 4,
            lanes,
            pieces: 1000,
            columns: 8,
            floor: 1 << 20,
            piece: 1 << 20,
            far,
        }
    }

    #[test]
    fn one_lane_takes_what_decodes_well() {
        let one = Limits::new(&asked(1, false));
        assert_eq!((one.unit, one.prefetched, one.ready_units), (UNIT.end, 4, 3));
    }

    #[test]
    fn few_pieces_are_decompressed_by_several_threads() {
        let threads = |pieces| Limits::new(&Asked { pieces, ..asked(1, false) }).threads;
        assert_eq!([1, 2, 3, 4, 1000].map(threads), [4, 2, 1, 1, 1]);
    }

    #[test]
    fn many_lanes_share_and_open_nothing_early() {
        let many = Limits::new(&asked(64, false));
        assert_eq!((many.unit, many.prefetched, many.ready_units), (UNIT.start.max((48 << 20) / 64 / 4), 0, 1));
    }

    #[test]
    fn remote_pieces_are_opened_early_within_what_memory_has_room_for() {
        assert_eq!(Limits::new(&asked(1, true)).prefetched, 64);
        assert_eq!(Limits::new(&asked(64, true)).prefetched, 1);
        let full = Asked { floor: 200 << 20, ..asked(1, true) };
        assert_eq!(Limits::new(&full).prefetched, 1);
    }

    #[test]
    fn nothing_leaves_its_range() {
        for lanes in [0, 1, 7, 64, 1000] {
            for rows in [0, 1 << 20, 1 << 40] {
                for far in [false, true] {
                    let made = Limits::new(&Asked {
                        rows,
                        prefetch_bytes: rows,
                        columns: 0,
                        floor: 0,
                        piece: 0,
                        ..asked(lanes, far)
                    });
                    assert!((UNIT.start..=UNIT.end).contains(&made.unit));
                    assert!((WINDOW.start..=WINDOW.end).contains(&made.window));
                }
            }
        }
    }
}
