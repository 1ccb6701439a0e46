"""Polars: a file at a time."""

import polars as pl


def rows(files, shuffle=0):
    for file in files:
        yield from pl.read_parquet(file).iter_rows(named=True)


def batches(files, columns):
    for file in files:
        for part in pl.read_parquet(file, columns=columns).iter_slices(256):
            yield {name: part[name].to_numpy() for name in columns}
