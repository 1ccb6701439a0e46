"""Peak memory above the interpreter: 4 GB of JSON Lines, shuffled with a buffer of 10,000."""

DATA, CALL, ARGUMENTS = "large_lines", "lines", (10000,)
PEERS = ("rowstream", "datasets")
REACH = {"memory_mib": 512}
EVERY = 50000
REPEAT = 1
