"""Parquet to dicts: chat rows, shuffled with a buffer of 100_000."""

DATA, CALL, ARGUMENTS = "chat", "rows", (100_000,)
TIMES = 3
PEERS = ("rowstream", "datasets")
REACH = {"datasets": 8}
UNSHUFFLED = "chat_rows"
