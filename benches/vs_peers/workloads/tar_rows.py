"""tar to dicts: samples of 10 KiB and JSON, in one archive."""

DATA, CALL, ARGUMENTS = "archive", "samples", ()
TIMES = 4
PEERS = ("rowstream", "webdataset", "datasets", "tarfile", "ferroload", "readinto")
REACH = {"webdataset": 25, "ferroload": 1.5, "readinto": 0.5}
