"""`datasets`, streaming."""

from datasets import load_dataset


def _open(files, shuffle):
    ds = load_dataset("parquet", data_files=files, split="train", streaming=True)
    return ds.shuffle(seed=1, buffer_size=shuffle) if shuffle else ds


def rows(files, shuffle=0):
    return iter(_open(files, shuffle))


def batches(files, columns):
    return iter(_open(files, 0).select_columns(columns).with_format("numpy").iter(256))


def lines(files):
    return iter(load_dataset("json", data_files=files, split="train", streaming=True))


def line_batches(files):
    return load_dataset("json", data_files=files, split="train", streaming=True).with_format("arrow").iter(8192)


def shuffled_lines(files, buffer):
    return iter(load_dataset("json", data_files=files, split="train", streaming=True).shuffle(seed=1, buffer_size=buffer))


def samples(files):
    return iter(load_dataset("webdataset", data_files=files, split="train", streaming=True))


def mapped(files, batched):
    from benches.vs_peers.functions import double, double_batch

    return iter(_open(files, 0).map(double_batch if batched else double, batched=batched))


def loader(files, workers):
    from torch.utils.data import DataLoader

    return iter(DataLoader(_open(files, 0).select_columns(["id", "score", "weight"]), batch_size=256, num_workers=workers))
