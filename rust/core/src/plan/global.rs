//! A shuffle in which every row may land anywhere: where the `p`-th row of the order is in the listing.

use std::ops::Range;

use crate::rng::Permutation;

/// Some rows of one piece: every `step`-th from `start` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) piece: u32,
    pub(crate) start: u64,
    pub(crate) step: u64,
    /// The runs before it have so many rows.
    pub(crate) before: u64,
    pub(crate) rows: u64,
}

/// The rows of an order, permuted as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Global {
    /// The rows in file order.
    pub(crate) runs: Vec<Run>,
    /// Permutations, the first one first; each is of the positions from a number on that the one before it gives.
    maps: Vec<(Permutation, u64)>,
}

impl Global {
    /// A permutation of some rows.
    pub(crate) fn new(runs: Vec<Run>, permutation: Permutation) -> Self {
        Self { runs, maps: vec![(permutation, 0)] }
    }

    /// A permutation of some of the positions of this one.
    pub(crate) fn again(&self, positions: &Range<u64>, permutation: Permutation) -> Self {
        let mut made = self.clone();
        made.maps.push((permutation, positions.start));
        made
    }

    /// The row at a position, counted in file order.
    pub(crate) fn at(&self, position: u64) -> u64 {
        self.maps.iter().rev().fold(position, |position, (map, start)| map.at(position) + start)
    }

    /// How many rows the runs have.
    pub(crate) fn rows(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.before + run.rows)
    }
}
