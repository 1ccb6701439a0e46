//! The core of rowstream, usable from Rust alone: plans, one exact order, decoders without I/O, and a stream that
//! runs them under a budget of bytes. It knows nothing of Python.

pub mod budget;
mod conform;
pub mod engine;
pub mod error;
pub mod exec;
pub mod format;
pub mod plan;
mod pool;
pub mod rng;
pub mod scan;
pub mod schema;
pub mod source;

pub use error::{Error, Kind, Result};
