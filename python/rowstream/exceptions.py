"""The exceptions of rowstream. Each also is the built-in exception that fits, so that code which
catches those works.

    RowstreamError
    ├── InvalidArgumentError(ValueError)         an argument that makes no sense
    ├── DataFilesNotFoundError(FileNotFoundError)  no file where one was expected
    │   └── DatasetNotFoundError                 no such data set of the Hub, or not for this token
    ├── FilePermissionError(PermissionError)     the operating system refused
    ├── ReadError(OSError)                       any other failure of input
    ├── SourceChangedError                       a file is not what the data set was made from
    ├── DatasetBuildError                        a data set could not be made
    │   ├── FileFormatError(ValueError)          bytes that are not what their format says
    │   ├── ManualDownloadError                  files that only the user can fetch are not there
    │   └── DatasetGenerationError               a builder's own code raised; its error is the cause
    │       └── DatasetGenerationCastError       rows do not have the declared types
    ├── ChecksumVerificationError                files are not those that were declared
    │   ├── UnexpectedDownloadedFileError
    │   ├── ExpectedMoreDownloadedFilesError
    │   └── NonMatchingChecksumError
    ├── SplitsVerificationError                  splits are not those that were declared
    │   ├── UnexpectedSplitsError
    │   ├── ExpectedMoreSplitsError
    │   └── NonMatchingSplitsSizesError
    ├── SchemaError(ValueError)                  files, columns or types that do not go together
    ├── UnsupportedError(NotImplementedError)    valid, and not read or done (yet)
    ├── CheckpointMismatchError(ValueError)      a state of another data set or number of consumers
    └── InternalError                            a defect of rowstream

`DatasetsError`, `FileNotFoundDatasetsError` and `DefunctDatasetError` are there for code that names
them.

Each takes one string, so that it pickles and a pool of processes can hand it on.
"""

from __future__ import annotations


class RowstreamError(Exception):
    """Base class of all errors that rowstream raises on purpose."""


DatasetsError = RowstreamError


class FileNotFoundDatasetsError(RowstreamError, FileNotFoundError):
    """A file, folder or dataset was not found."""


class DefunctDatasetError(RowstreamError):
    """A dataset was withdrawn by its authors."""


class DatasetBuildError(RowstreamError):
    """A dataset could not be built."""


class ManualDownloadError(DatasetBuildError):
    """Files that the user has to download by hand are missing; the message names them."""


class DatasetGenerationError(DatasetBuildError):
    """A builder's own code raised an error, which is the cause (`__cause__`) of this one."""


class DatasetGenerationCastError(DatasetGenerationError):
    """Rows do not fit the declared features."""


class ChecksumVerificationError(RowstreamError):
    """Downloaded files are not the declared ones."""


class UnexpectedDownloadedFileError(ChecksumVerificationError):
    """A file was downloaded that is not declared."""


class ExpectedMoreDownloadedFilesError(ChecksumVerificationError):
    """A declared file was not downloaded."""


class NonMatchingChecksumError(ChecksumVerificationError):
    """A file has another checksum than declared."""


class SplitsVerificationError(RowstreamError):
    """Splits are not the declared ones."""


class UnexpectedSplitsError(SplitsVerificationError):
    """A split was built that is not declared."""


class ExpectedMoreSplitsError(SplitsVerificationError):
    """A declared split was not built."""


class NonMatchingSplitsSizesError(SplitsVerificationError):
    """A split has another number of rows than declared."""


class InvalidArgumentError(RowstreamError, ValueError):
    """An argument is invalid; the message says which values are valid."""


class DataFilesNotFoundError(FileNotFoundDatasetsError):
    """No file was found at a path or URL, or for a pattern."""


class DatasetNotFoundError(DataFilesNotFoundError):
    """The Hub has no such dataset, or the token does not allow access to it."""


class FilePermissionError(RowstreamError, PermissionError):
    """The operating system or a server refused access to a file."""


class ReadError(RowstreamError, OSError):
    """A file could not be read, downloaded or listed."""


class SourceChangedError(RowstreamError):
    """A file changed since the dataset was created, or while it was read."""


class FileFormatError(DatasetBuildError, ValueError):
    """A file is not valid in its format; the message names the file, row group, row and column."""


class SchemaError(RowstreamError, ValueError):
    """Files, columns or types do not fit together."""


class UnsupportedError(RowstreamError, NotImplementedError):
    """Something valid that rowstream does not support."""


class CheckpointMismatchError(RowstreamError, ValueError):
    """A state is of another dataset, of other steps, or of another number of ranks or workers."""


class InternalError(RowstreamError):
    """A bug in rowstream. Please report it."""


class DatasetTransformationNotAllowedError(RowstreamError):
    """A transform is not allowed, since the rows would no longer match a search index on them."""


__all__ = [
    "CheckpointMismatchError",
    "ChecksumVerificationError",
    "DataFilesNotFoundError",
    "DatasetBuildError",
    "DatasetGenerationCastError",
    "DatasetGenerationError",
    "DatasetNotFoundError",
    "DatasetTransformationNotAllowedError",
    "DatasetsError",
    "DefunctDatasetError",
    "ExpectedMoreDownloadedFilesError",
    "ExpectedMoreSplitsError",
    "FileFormatError",
    "FileNotFoundDatasetsError",
    "FilePermissionError",
    "InternalError",
    "InvalidArgumentError",
    "ManualDownloadError",
    "NonMatchingChecksumError",
    "NonMatchingSplitsSizesError",
    "ReadError",
    "RowstreamError",
    "SchemaError",
    "SourceChangedError",
    "SplitsVerificationError",
    "UnexpectedDownloadedFileError",
    "UnexpectedSplitsError",
    "UnsupportedError",
]
