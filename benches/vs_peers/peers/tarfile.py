"""Python's tarfile: samples as bytes."""

import tarfile


def samples(files):
    for file in files:
        with tarfile.open(file, "r|") as archive:
            sample = {}
            for member in archive:
                key, _, field = member.name.partition(".")
                if sample and sample["__key__"] != key:
                    yield sample
                    sample = {}
                sample["__key__"] = key
                sample[field] = archive.extractfile(member).read()
            if sample:
                yield sample
