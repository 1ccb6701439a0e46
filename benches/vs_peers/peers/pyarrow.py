"""pyarrow: batches of a file, and their rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def rows(files, shuffle=0):
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=10_000):
            yield from batch.to_pylist()


def _column(column):
    if pa.types.is_fixed_size_list(column.type):
        return np.asarray(column.flatten()).reshape(len(column), -1)
    return column.to_numpy()


def batches(files, columns):
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=256, columns=columns):
            yield {name: _column(batch.column(name)) for name in columns}


def line_batches(files):
    from pyarrow import json

    for file in files:
        table = json.read_json(file)
        for at in range(0, len(table), 8192):
            yield table.slice(at, 8192)


def format_batches(files, format):
    from pyarrow import csv

    for file in files:
        table = csv.read_csv(file)
        for at in range(0, len(table), 8192):
            yield table.slice(at, 8192)


def format_rows(files, format):
    for file in files:
        for batch in pa.ipc.open_stream(file):
            yield from batch.to_pylist()


def filtered(files, columns, column, below):
    from pyarrow import dataset

    found = dataset.dataset(files).to_table(columns=columns, filter=dataset.field(column) < below)
    for at in range(0, len(found), 256):
        part = found.slice(at, 256)
        yield {name: part[name].to_numpy() for name in columns}
