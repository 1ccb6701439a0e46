"""The readers by the names of their formats."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from rowstream.resolve.formats import PANDAS_CSV

if TYPE_CHECKING:
    from rowstream.packaged.base import Reader

READERS = {
    "conll": "conll.Conll",
    PANDAS_CSV: "pandas_csv.PandasCsv",
    "eval": "inspect_logs.InspectLogs",
    "fasta": "fasta.Fasta",
    "fastq": "fastq.Fastq",
    "genbank": "genbank.GenBank",
    "harbor": "harbor.Harbor",
    "hdf5": "hdf5.Hdf5",
    "lance": "lance.Lance",
    "litdata": "litdata.LitData",
    "mds": "mds.Mds",
    "tsfile": "tsfile.TsFile",
    "vortex": "vortex.Vortex",
    "xml": "xml.Xml",
}


def reader_of(name: str) -> type[Reader]:
    """Return the class that reads a format."""
    module, _, of = READERS[name].partition(".")
    result: type[Reader] = getattr(import_module(f"rowstream.packaged.{module}"), of)
    return result
