"""JSON Lines to Arrow batches: the chat rows."""

DATA, CALL, ARGUMENTS = "chat_lines", "line_batches", ()
TIMES = 3
PEERS = ("rowstream", "datasets", "polars", "pyarrow")
REACH = {"polars": 1.1}
