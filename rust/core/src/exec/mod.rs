//! A stream: the rows of a plan for one consumer, from a cursor on.
//!
//! The consumer's thread alone decides the order. Readers only fill their queues, so nothing is put back in sequence,
//! and how many there are, or how far ahead, changes the speed and never a row.

mod ahead;
pub mod by_number;
mod columns;
pub mod count;
mod decode;
pub mod explain;
pub mod gather;
mod global;
mod lane;
mod limits;
mod ordered;
mod prefetch;
mod queue;
mod reader;
mod shared;
mod stream;

pub use queue::Unit;
pub use stream::{Next, Stream, Waiter};
