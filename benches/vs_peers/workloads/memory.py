"""Peak memory above the interpreter: 4 GB of Parquet in row groups of 100 MB, shuffled with a buffer of 10,000."""

DATA, CALL, ARGUMENTS = "large", "rows", (10_000,)
PEERS = ("rowstream", "datasets")
REACH = {"memory_mib": 512}
EVERY = 50_000  # rows between looks at the peak
REPEAT = 1
