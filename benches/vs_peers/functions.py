"""Functions that workloads map."""


def double(row):
    return {"double": row["score"] * 2}


def double_batch(batch):
    return {"double": [score * 2 for score in batch["score"]]}
