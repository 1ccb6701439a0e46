"""Arrow types and arrays: what pyarrow lacks. This package does not use features."""
