"""Peak memory above the interpreter: 4 GB of tar, shuffled with a buffer of 1,000."""

DATA, CALL, ARGUMENTS = "large_archive", "samples", (1000,)
PEERS = ("rowstream",)
REACH = {"memory_mib": 512}
EVERY = 5000
REPEAT = 1
