"""Parquet to NumPy batches of 256: an integer, a float, and vectors of 64 floats."""

DATA, CALL, ARGUMENTS = "vectors", "batches", (["id", "weight", "vector"],)
TIMES = 4
PEERS = ("rowstream", "datasets", "pyarrow", "polars")
REACH = {"datasets": 7, "pyarrow": 2}
