"""`map` with a cheap function of batches of 1,000: flat rows."""

DATA, CALL, ARGUMENTS = "flat", "mapped", (True,)
PEERS = ("rowstream", "datasets")
REACH = {"datasets": 5}
