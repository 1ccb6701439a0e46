"""`datasets`, streaming."""

from datasets import load_dataset


def _open(files, shuffle):
    ds = load_dataset("parquet", data_files=files, split="train", streaming=True)
    return ds.shuffle(seed=1, buffer_size=shuffle) if shuffle else ds


def rows(files, shuffle=0):
    return iter(_open(files, shuffle))


def batches(files, columns):
    return iter(_open(files, 0).select_columns(columns).with_format("numpy").iter(256))
