"""Parquet to dicts: flat rows, shuffled with a buffer of 10_000."""

DATA, CALL, ARGUMENTS = "flat", "rows", (10_000,)
TIMES = 3
PEERS = ("rowstream", "datasets")
REACH = {"datasets": 12}
UNSHUFFLED = "flat_rows"
