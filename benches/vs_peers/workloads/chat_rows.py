"""Parquet to dicts: chat rows, nested messages, about 900 bytes."""

DATA, CALL, ARGUMENTS = "chat", "rows", ()
TIMES = 3
PEERS = ("rowstream", "datasets", "datasets_map", "polars", "pyarrow")
REACH = {"datasets": 8, "best other": 1.5, "best other, wall": 2.5}
