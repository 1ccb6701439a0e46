"""Compressed JSON Lines (gzip) to dicts: the chat rows."""

DATA, CALL, ARGUMENTS = "chat_lines_gz", "lines", ()
TIMES = 2
PEERS = ("rowstream", "datasets", "orjson")
REACH = {"datasets": 8, "orjson": 1.3}
