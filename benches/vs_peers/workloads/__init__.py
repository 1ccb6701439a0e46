"""The workloads, one a file: each has `NAME`, `DATA`, `CALL`, `ARGUMENTS`, `PEERS` and `REACH`."""

ROWS = (
    "chat_rows",
    "flat_rows",
    "chat_shuffled_10k",
    "chat_shuffled_100k",
    "flat_shuffled_10k",
    "flat_shuffled_100k",
)
BATCHES = ("numpy_batches", "two_columns_of_30")
LINES = ("lines_rows", "lines_gz_rows", "lines_batches", "tar_rows")
FORMATS = ("csv_batches", "array_batches", "arrow_rows", "filtered", "whole_shuffle")
STEPS = ("map_rows", "map_batched", "torch_loader", "torch_loader_2")
MEMORY = ("memory", "memory_lines", "memory_tar")
ALL = (*ROWS, *BATCHES, *LINES, *FORMATS, *STEPS, *MEMORY, "cold")
