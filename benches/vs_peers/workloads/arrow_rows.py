"""Arrow streams to rows: the chat rows, in batches of 1,000 as `datasets` writes them."""

DATA, CALL, ARGUMENTS = "chat_arrow", "format_rows", ("arrow",)
PEERS = ("rowstream", "datasets", "pyarrow", "polars")
REACH = {"datasets": 15}
