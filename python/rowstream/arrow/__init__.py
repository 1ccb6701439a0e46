"""Arrow types and arrays: what pyarrow lacks. Nothing here knows of features."""
