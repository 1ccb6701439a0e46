"""PyTorch DataLoader with 2 workers: three numbers, batches of 256."""

DATA, CALL, ARGUMENTS = "flat", "loader", (2,)
PEERS = ("rowstream", "datasets")
REACH = {"datasets": 3}
