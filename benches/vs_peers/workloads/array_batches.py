"""JSON arrays to Arrow batches: the chat rows, four files."""

DATA, CALL, ARGUMENTS = "chat_array", "format_batches", ("json",)
PEERS = ("rowstream", "datasets", "polars")
WHOLE = True
REACH = {"polars": 1.1}
