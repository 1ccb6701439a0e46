"""Tar archives of samples, in the convention of WebDataset: read as they are, or written.

    from rowstream.webdataset import ShardWriter, stream

    with ShardWriter("photos-%06d.tar", maxcount=10_000) as writer:
        for i, photo in enumerate(photos):
            writer.write({"__key__": f"{i:08d}", "jpg": photo, "json": {"number": i}})

    for sample in stream("photos-*.tar"):
        sample["__key__"], sample["jpg"], sample["json"]["number"]

`load_dataset("webdataset", data_files="photos-*.tar")` reads them as rows, all with the same
columns, shuffled, resumable or by number; `index` says where the samples of remote archives
begin, so that they are cut and resumed as local ones are; `to_webdataset` of datasets and streams
writes their rows.
"""

from rowstream.tar_index.model import TarIndex
from rowstream.webdataset.indexing import Shard, index, read_index, read_shard_list
from rowstream.webdataset.reader import parse, parse_shards, stream, stream_shards
from rowstream.webdataset.writer import ShardWriter, TarWriter

__all__ = [
    "Shard",
    "ShardWriter",
    "TarIndex",
    "TarWriter",
    "index",
    "parse",
    "parse_shards",
    "read_index",
    "read_shard_list",
    "stream",
    "stream_shards",
]
