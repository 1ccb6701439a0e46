//! What a step makes of a column.

use arrow_array::ArrayRef;

use crate::error::Error;

/// A column that was made, and why rows have none of it.
pub struct MadeColumn {
    /// Null where the column that it is made of is, and where it could not be made.
    pub column: ArrayRef,
    /// The rows of which it could not be made, in order.
    pub bad: Vec<(usize, Error)>,
}
