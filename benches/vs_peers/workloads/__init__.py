"""The workloads, one a file: each has `NAME`, `DATA`, `CALL`, `ARGUMENTS`, `PEERS` and `REACH`."""

ROWS = ("chat_rows", "flat_rows", "chat_shuffled_10k", "chat_shuffled_100k", "flat_shuffled_10k", "flat_shuffled_100k")
BATCHES = ("numpy_batches", "two_columns_of_30")
ALL = (*ROWS, *BATCHES, "memory", "cold")
