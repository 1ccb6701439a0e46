"""The calls of `datasets`, which rowstream has too: only the import differs."""


class Streaming:
    """Each workload, by a library's `load_dataset`."""

    def __init__(self, load_dataset):
        self.load_dataset = load_dataset

    def _open(self, format, files, shuffle=0):
        ds = self.load_dataset(format, data_files=files, split="train", streaming=True)
        return ds.shuffle(seed=1, buffer_size=shuffle) if shuffle else ds

    def rows(self, files, shuffle=0):
        return iter(self._open("parquet", files, shuffle))

    def batches(self, files, columns):
        return iter(
            self._open("parquet", files).select_columns(columns).with_format("numpy").iter(256)
        )

    def lines(self, files, shuffle=0):
        return iter(self._open("json", files, shuffle))

    def line_batches(self, files):
        return iter(self._open("json", files).with_format("arrow").iter(8192))

    def format_batches(self, files, format):
        return iter(self._open(format, files).with_format("arrow").iter(8192))

    def format_rows(self, files, format):
        return iter(self._open(format, files))

    def filtered(self, files, columns, column, below):
        filters = [(column, "<", below)]
        ds = self.load_dataset(
            "parquet",
            data_files=files,
            split="train",
            streaming=True,
            columns=columns,
            filters=filters,
        )
        return iter(ds.with_format("numpy").iter(256))

    def whole_batches(self, files):
        ds = self.load_dataset("parquet", data_files=files, split="train", streaming=True).shuffle(
            seed=1, buffer_size=None
        )
        return iter(ds.with_format("numpy").iter(1024))

    def samples(self, files, shuffle=0):
        return iter(self._open("webdataset", files, shuffle))

    def mapped(self, files, batched):
        from benches.vs_peers.functions import double, double_batch

        return iter(
            self._open("parquet", files).map(double_batch if batched else double, batched=batched)
        )

    def loader(self, files, workers):
        from torch.utils.data import DataLoader

        return iter(
            DataLoader(
                self._open("parquet", files).select_columns(["id", "score", "weight"]),
                batch_size=256,
                num_workers=workers,
            )
        )
