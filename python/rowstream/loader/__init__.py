"""`DataLoader`: batches of tensors, made in the process that trains."""
