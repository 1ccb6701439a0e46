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
    """Any error that rowstream raises on purpose."""


DatasetsError = RowstreamError


class FileNotFoundDatasetsError(RowstreamError, FileNotFoundError):
    """Something is not where it was expected."""


class DefunctDatasetError(RowstreamError):
    """A data set that its makers took back."""


class DatasetBuildError(RowstreamError):
    """A data set could not be made."""


class ManualDownloadError(DatasetBuildError):
    """Files that only the user can fetch are not there; the message says which."""


class DatasetGenerationError(DatasetBuildError):
    """A builder's own code raised; its error is the cause."""


class DatasetGenerationCastError(DatasetGenerationError):
    """Rows do not have the declared types."""


class ChecksumVerificationError(RowstreamError):
    """Files are not those that were declared."""


class UnexpectedDownloadedFileError(ChecksumVerificationError):
    """A file was downloaded that is not declared."""


class ExpectedMoreDownloadedFilesError(ChecksumVerificationError):
    """A file is declared and was not downloaded."""


class NonMatchingChecksumError(ChecksumVerificationError):
    """A file has another checksum than was declared."""


class SplitsVerificationError(RowstreamError):
    """Splits are not those that were declared."""


class UnexpectedSplitsError(SplitsVerificationError):
    """A split was made that is not declared."""


class ExpectedMoreSplitsError(SplitsVerificationError):
    """A split is declared and was not made."""


class NonMatchingSplitsSizesError(SplitsVerificationError):
    """A split has another number of rows than was declared."""


class InvalidArgumentError(RowstreamError, ValueError):
    """An argument that makes no sense; the message says which would."""


class DataFilesNotFoundError(FileNotFoundDatasetsError):
    """No file where one was expected."""


class DatasetNotFoundError(DataFilesNotFoundError):
    """There is no such data set of the Hub, or the token may not see it."""


class FilePermissionError(RowstreamError, PermissionError):
    """The operating system refused access to a file."""


class ReadError(RowstreamError, OSError):
    """A file could not be read."""


class SourceChangedError(RowstreamError):
    """A file is not the one that the data set was made from, or changed while it was read."""


class FileFormatError(DatasetBuildError, ValueError):
    """Bytes that are not what their format says; the message names file, row group, row and
    column.
    """


class SchemaError(RowstreamError, ValueError):
    """Files, columns or types that do not go together."""


class UnsupportedError(RowstreamError, NotImplementedError):
    """Something valid that rowstream does not read or do."""


class CheckpointMismatchError(RowstreamError, ValueError):
    """A state of another data set, of other steps, or of another number of consumers."""


class InternalError(RowstreamError):
    """A defect of rowstream. Please report it."""


class DatasetTransformationNotAllowedError(RowstreamError):
    """A transform that would part the rows from an index over them."""


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
