"""PyTorch DataLoader without workers: three numbers, batches of 256."""

DATA, CALL, ARGUMENTS = "flat", "loader", (0,)
PEERS = ("rowstream", "datasets")
REACH = {"datasets": 10}
