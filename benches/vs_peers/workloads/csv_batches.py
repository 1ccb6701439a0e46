"""CSV to Arrow batches: six columns of scalars, four files."""

DATA, CALL, ARGUMENTS = "table_csv", "format_batches", ("csv",)
TIMES = 4
PEERS = ("rowstream", "datasets", "polars", "pyarrow")
SAME = ("rowstream", "pyarrow")
REACH = {"polars": 1, "pyarrow": 1}
