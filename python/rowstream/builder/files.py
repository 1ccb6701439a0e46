"""The builder of files in a known format."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

from rowstream.builder.generate import ArrowBasedBuilder
from rowstream.dataset.splits import chosen_splits
from rowstream.features.features import features_of_card
from rowstream.info import DatasetInfo
from rowstream.packaged.requested import load_request
from rowstream.prepare.row_groups import features_as_read
from rowstream.resolve.planning import plan_of
from rowstream.splits.info import SplitGenerator
from rowstream.streams.rows import tables_of

if TYPE_CHECKING:
    from rowstream.resolve.request import Request

_ROWS = 10_000
"""The rows of a table that is written at once."""


class FilesBuilder(ArrowBasedBuilder):
    """The builder that `load_dataset_builder` returns for files in a known format."""

    def __init__(
        self,
        request: Request,
        cache_dir: str | None,
        repo_id: str | None,
        token: Any,
        storage_options: dict[str, Any] | None,
    ) -> None:
        self._request = request
        self._made: dict[str, Any] | None = None
        self._cache = cache_dir
        super().__init__(
            cache_dir=cache_dir,
            dataset_name=request.found.label,
            config_name=request.found.config,
            repo_id=repo_id,
            token=token,
            data_files=request.found.files,
            features=request.declared,
            storage_options=storage_options,
        )
        self.name = self.info.builder_name = request.found.format

    def _located(self, data_files: Any, data_dir: str | None) -> dict[str, list[str]]:
        return {split: list(files) for split, files in data_files.items()}

    def _info(self) -> DatasetInfo:
        said = dict(self._request.found.info)
        features = features_of_card(said.pop("features", None))
        said.pop("splits", None)
        splits = self._request.counts
        info = DatasetInfo.from_dict(
            {key: value for key, value in said.items() if isinstance(value, (str, int))}
        )
        info.splits = splits or None
        found = self._request.found
        if features is None and self._request.declared is None and found.files:
            split, files = next(iter(found.files.items()))
            features = (
                features_as_read(plan_of(self._request.how, found, files, split)[0])
                if self._request.reader is None
                else self.as_streaming_dataset(split).features
            )
        info.features = features
        return info

    def _split_generators(self, dl_manager: Any) -> list[SplitGenerator]:
        return [
            SplitGenerator(split, {"split": split, "files": list(files)})
            for split, files in self._request.found.files.items()
        ]

    def _generate_tables(
        self, *, split: str = "train", files: Any = (), **kwargs: Any
    ) -> Iterator[tuple[Any, Any]]:
        if self._request.reader is None:
            plan, _ = plan_of(self._request.how, self._request.found, list(files), split)
            yield from enumerate(tables_of(plan, _ROWS))
        else:
            stream = self.as_streaming_dataset(split).decode(enable=False).with_format("arrow")
            yield from enumerate(stream.iter(_ROWS))

    def download_and_prepare(
        self, output_dir: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Write the files of the cache that `load_dataset` maps, or the splits into a folder.

        Args:
            output_dir: The folder; the cache if `None`.
            args, kwargs: As in `DatasetBuilder.download_and_prepare`.
        """
        if output_dir is not None:
            super().download_and_prepare(output_dir, *args, **kwargs)
            return
        mode = kwargs.get("download_mode", args[1] if len(args) > 1 else None)
        checks = kwargs.get("verification_mode", args[2] if len(args) > 2 else None)
        self._made = self._load(mode=mode, checks=checks)
        first = next(iter(self._made.values())).info
        self.info.splits, self.info.features = copy(first.splits), first.features
        self.info.download_size, self.info.dataset_size, self.info.size_in_bytes = (
            first.download_size,
            first.dataset_size,
            first.size_in_bytes,
        )

    def as_dataset(self, split: Any = None, in_memory: bool = False) -> Any:
        """Return the dataset that `load_dataset` returns; as in `DatasetBuilder.as_dataset`."""
        if self._output_dir != self._cache_dir:
            return super().as_dataset(split, in_memory)
        made = None if in_memory else self._made
        return chosen_splits(self._load(in_memory or None) if made is None else made, split)

    def _load(self, in_memory: bool | None = None, **checks: Any) -> dict[str, Any]:
        """Return all splits as datasets."""
        return dict(
            load_request(
                self._request,
                None,
                streaming=False,
                cache_dir=self._cache,
                keep_in_memory=in_memory,
                **checks,
            )
        )

    def as_streaming_dataset(self, split: Any = None, base_path: str | None = None) -> Any:
        """Return the streams that `load_dataset(…, streaming=True)` returns."""
        return load_request(self._request, split, streaming=True)
