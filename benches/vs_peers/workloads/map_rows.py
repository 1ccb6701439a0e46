"""`map` with a cheap function of a row: flat rows."""

DATA, CALL, ARGUMENTS = "flat", "mapped", (False,)
PEERS = ("rowstream", "datasets")
REACH = {"datasets": 5}
