"""Parquet to NumPy batches of 256: two columns of thirty."""

DATA, CALL, ARGUMENTS = "wide", "batches", (["c03", "c10"],)
TIMES = 4
PEERS = ("rowstream", "datasets", "pyarrow", "polars")
REACH = {"datasets": 7, "pyarrow": 2}
