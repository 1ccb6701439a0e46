//! Rows as text: JSON Lines and CSV, byte for byte what pandas writes, which `datasets` calls.

pub mod csv;
pub mod json;
mod numbers;
mod values;
