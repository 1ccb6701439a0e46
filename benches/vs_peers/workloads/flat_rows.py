"""Parquet to dicts: flat rows of six columns."""

DATA, CALL, ARGUMENTS = "flat", "rows", ()
TIMES = 3
PEERS = ("rowstream", "datasets", "datasets_map", "polars", "pyarrow")
REACH = {"datasets": 12, "best other": 1.5, "best other, wall": 2.5}
