"""Tar archives of samples, in the convention of WebDataset: written one by one, or in shards.

    from rowstream.webdataset import ShardWriter

    with ShardWriter("photos-%06d.tar", maxcount=10_000) as writer:
        for i, photo in enumerate(photos):
            writer.write({"__key__": f"{i:08d}", "jpg": photo, "json": {"number": i}})

`load_dataset("webdataset", data_files="photos-*.tar")` reads them; `to_webdataset` of datasets and
streams writes their rows.
"""

from rowstream.webdataset.writer import ShardWriter, TarWriter

__all__ = ["ShardWriter", "TarWriter"]
