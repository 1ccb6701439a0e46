"""The exceptions of rowstream. Each also is the built-in exception that fits, so that code which catches those works.

    RowstreamError
    ├── InvalidArgumentError(ValueError)         an argument that makes no sense
    ├── DataFilesNotFoundError(FileNotFoundError) no file where one was expected
    │   └── DatasetNotFoundError                 no such data set of the Hub, or not for this token
    ├── FilePermissionError(PermissionError)     the operating system refused
    ├── ReadError(OSError)                       any other failure of input
    ├── SourceChangedError                       a file is not the one that the data set was made from
    ├── FileFormatError(ValueError)              bytes that are not what their format says
    ├── SchemaError(ValueError)                  files, columns or types that do not go together
    ├── UnsupportedError(NotImplementedError)    valid, and not read or done (yet)
    ├── CheckpointMismatchError(ValueError)      a state of another data set or number of consumers
    └── InternalError                            a defect of rowstream

Each takes one string, so that it pickles and a pool of processes can hand it on.
"""

__all__ = [
    "CheckpointMismatchError",
    "DataFilesNotFoundError",
    "DatasetNotFoundError",
    "FileFormatError",
    "FilePermissionError",
    "InternalError",
    "InvalidArgumentError",
    "ReadError",
    "RowstreamError",
    "SchemaError",
    "SourceChangedError",
    "UnsupportedError",
]


class RowstreamError(Exception):
    """Any error that rowstream raises on purpose."""


class InvalidArgumentError(RowstreamError, ValueError):
    """An argument that makes no sense; the message says which would."""


class DataFilesNotFoundError(RowstreamError, FileNotFoundError):
    """No file where one was expected."""


class DatasetNotFoundError(DataFilesNotFoundError):
    """There is no such data set of the Hub, or the token may not see it."""


class FilePermissionError(RowstreamError, PermissionError):
    """The operating system refused access to a file."""


class ReadError(RowstreamError, OSError):
    """A file could not be read."""


class SourceChangedError(RowstreamError):
    """A file is not the one that the data set was made from, or changed while it was read."""


class FileFormatError(RowstreamError, ValueError):
    """Bytes that are not what their format says; the message names file, row group, row and column."""


class SchemaError(RowstreamError, ValueError):
    """Files, columns or types that do not go together."""


class UnsupportedError(RowstreamError, NotImplementedError):
    """Something valid that rowstream does not read or do."""


class CheckpointMismatchError(RowstreamError, ValueError):
    """A state of another data set, of other steps, or of another number of consumers."""


class InternalError(RowstreamError):
    """A defect of rowstream. Please report it."""
