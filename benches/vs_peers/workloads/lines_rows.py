"""JSON Lines to dicts: the chat rows."""

DATA, CALL, ARGUMENTS = "chat_lines", "lines", ()
TIMES = 3
PEERS = ("rowstream", "datasets", "orjson", "polars")
REACH = {"datasets": 8, "orjson": 1.3, "orjson, wall": 1.8}
