"""Polars: a file at a time."""

import polars as pl


def rows(files, shuffle=0):
    for file in files:
        yield from pl.read_parquet(file).iter_rows(named=True)


def batches(files, columns):
    for file in files:
        for part in pl.read_parquet(file, columns=columns).iter_slices(256):
            yield {name: part[name].to_numpy() for name in columns}


def lines(files):
    for file in files:
        yield from pl.read_ndjson(file).iter_rows(named=True)


def line_batches(files):
    for file in files:
        for part in pl.read_ndjson(file).iter_slices(8192):
            yield part.to_arrow()


def format_batches(files, format):
    read = {"csv": pl.read_csv, "json": pl.read_json}[format]
    for file in files:
        for part in read(file).iter_slices(8192):
            yield part.to_arrow()


def format_rows(files, format):
    for file in files:
        yield from pl.read_ipc_stream(file).iter_rows(named=True)


def filtered(files, columns, column, below):
    found = pl.scan_parquet(files).filter(pl.col(column) < below).select(columns).collect()
    for part in found.iter_slices(256):
        yield {name: part[name].to_numpy() for name in columns}
