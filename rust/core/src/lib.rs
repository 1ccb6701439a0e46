//! The core of rowstream, usable from Rust alone: plans, one exact order, decoders without I/O, and a stream that
//! runs them under a budget of bytes. It knows nothing of Python.

pub mod activity;
pub mod budget;
pub mod chat;
pub mod codec;
pub mod column_steps;
mod conform;
pub mod engine;
pub mod error;
pub mod exec;
pub mod export;
pub mod fields;
pub(crate) mod files;
mod forked;
pub mod format;
pub mod hash;
pub mod images;
pub mod made_column;
pub mod panic;
pub mod plan;
mod pool;
pub mod rng;
pub mod row_hash;
pub mod scan;
pub mod schema;
pub mod source;
pub mod tokens;
mod types;
mod unpack;
mod urls;

pub use error::{Error, Kind, Result};
