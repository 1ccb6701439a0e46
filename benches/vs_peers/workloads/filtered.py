"""Three of thirty columns, and a filter on one of them that keeps 2 % of the rows, to NumPy batches of 256."""

DATA, CALL, ARGUMENTS = "wide", "filtered", (["c03", "c04", "c10"], "c04", 41 / 2048)
TIMES = 4
PEERS = ("rowstream", "datasets", "polars", "pyarrow")
WHOLE = True
REACH = {"polars": 1, "datasets": 10}
