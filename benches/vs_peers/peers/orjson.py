"""orjson: a line at a time."""

import gzip

import orjson


def lines(files):
    for file in files:
        with (gzip.open if file.endswith(".gz") else open)(file, "rb") as opened:
            for line in opened:
                yield orjson.loads(line)
