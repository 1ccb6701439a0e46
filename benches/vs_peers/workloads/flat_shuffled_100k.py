"""Parquet to dicts: flat rows, shuffled with a buffer of 100_000."""

DATA, CALL, ARGUMENTS = "flat", "rows", (100_000,)
TIMES = 3
PEERS = ("rowstream", "datasets")
REACH = {"datasets": 12}
UNSHUFFLED = "flat_rows"
