"""The preparation of datasets by builders: downloads and written files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from rowstream import config
from rowstream.builder.base import BuilderBase
from rowstream.builder.code import CODE
from rowstream.exceptions import InvalidArgumentError, ManualDownloadError
from rowstream.info import DatasetInfo
from rowstream.splits.info import SplitDict
from rowstream.splits.verify import verify_checksums, verify_splits
from rowstream.storage.download_config import DownloadConfig, DownloadMode, VerificationMode
from rowstream.storage.download_manager import DownloadManager
from rowstream.utils import logging
from rowstream.utils.atomic import umask
from rowstream.writers.target import file_system

_logger = logging.get_logger(__name__)


class BuilderPreparation(BuilderBase):
    """The method of builders that downloads and writes files."""

    def _manager(
        self,
        base_path: str | None,
        download_config: DownloadConfig | None,
        anew: bool,
        checksums: bool,
    ) -> DownloadManager:
        how = (
            download_config.copy()
            if download_config is not None
            else DownloadConfig(token=self.token)
        )
        how.force_download = how.force_download or anew
        how.storage_options = {**self.storage_options, **how.storage_options}
        return DownloadManager(
            self.dataset_name,
            self.config.data_dir,
            how,
            self.base_path if base_path is None else base_path,
            checksums,
        )

    def download_and_prepare(
        self,
        output_dir: str | None = None,
        download_config: DownloadConfig | None = None,
        download_mode: DownloadMode | str | None = None,
        verification_mode: VerificationMode | str | None = None,
        dl_manager: DownloadManager | None = None,
        base_path: str | None = None,
        file_format: str = "arrow",
        max_shard_size: int | str | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
        **download_and_prepare_kwargs: Any,
    ) -> None:
        """Write the splits to files in a folder, completely or not at all.

        A dataset that is already in the folder is kept.

        Args:
            output_dir: The folder or its URL; the builder's folder in the cache if `None`.
            download_config: How files are downloaded.
            download_mode: `"force_redownload"` downloads and writes everything again.
            verification_mode: `"basic_checks"` checks the splits (default), `"all_checks"` also
                the checksums of downloads, and `"no_checks"` nothing.
            dl_manager: A download manager to use instead of a new one.
            base_path: The folder or URL to which names of files are relative.
            file_format: `"arrow"` or `"parquet"`.
            max_shard_size: The size of a file in bytes, or as text; `config.MAX_SHARD_SIZE` if
                `None`.
            num_proc: The number of processes, which share the lists in `gen_kwargs`.
            storage_options: Options of the file system of `output_dir`.
            download_and_prepare_kwargs: Passed on to `_prepare_split` of a subclass.

        Raises:
            DatasetGenerationError: The builder's code raised an error.
            InvalidArgumentError: The file format is not supported, or a split is called `all`.
            ManualDownloadError: The user has to download files first.
            SplitsVerificationError, ChecksumVerificationError: The splits or files are not those
                that the description lists.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}, {"a": 2}])
            2
            >>> builder = load_dataset_builder("json", data_files="train.jsonl")
            >>> builder.download_and_prepare("out", file_format="parquet")
            >>> load_dataset("parquet", data_files="out/*.parquet", split="train")["a"][:]
            [1, 2]
        """
        if file_format not in ("arrow", "parquet"):
            raise InvalidArgumentError(
                f"Invalid file format {file_format!r}: expected 'arrow' or 'parquet'"
            )
        wanted = os.fspath(output_dir) if output_dir is not None else self._cache_dir
        self._fs, place = file_system(wanted, storage_options)
        wanted = place if self._fs is None else wanted
        mode = DownloadMode(download_mode or DownloadMode.REUSE_DATASET_IF_EXISTS)
        checks = VerificationMode(verification_mode or VerificationMode.BASIC_CHECKS)
        self._output_dir, self._file_format = wanted, file_format
        info_file = f"{place}/{config.DATASET_INFO_FILENAME}"
        there = os.path.exists(info_file) if self._fs is None else self._fs.exists(info_file)
        if (
            there
            and mode is DownloadMode.REUSE_DATASET_IF_EXISTS
            and (self._fs is not None or self._is_mine(place))
        ):
            _logger.info(f"Found cached dataset {self.dataset_name} ({wanted})")
            with (
                open(info_file, encoding="utf-8")
                if self._fs is None
                else self._fs.open(info_file, "r", encoding="utf-8")
            ) as file:
                self.info = DatasetInfo.from_dict(json.load(file))
            return
        if self.manual_download_instructions is not None and self.config.data_dir is None:
            raise ManualDownloadError(
                f"The dataset {self.dataset_name} with config {self.config.name} requires manual"
                f" data.\n{self.manual_download_instructions}\nGive the folder that it is in as"
                " data_dir."
            )
        self.info = self.info.copy()
        if self._fs is None:
            os.makedirs(os.path.dirname(os.path.abspath(place)), exist_ok=True)
        # Made beside its place, or here for a place far away, so that what is half made never has
        # the name of what is whole.
        beside = None if self._fs is not None else os.path.dirname(os.path.abspath(place))
        temporary = tempfile.mkdtemp(prefix=".rowstream-", suffix=".incomplete", dir=beside)
        try:
            self._output_dir = temporary
            if dl_manager is None:
                force = mode is DownloadMode.FORCE_REDOWNLOAD
                everything = self._record_checksums or checks is VerificationMode.ALL_CHECKS
                dl_manager = self._manager(base_path, download_config, force, everything)
            self._download_and_prepare(
                dl_manager,
                checks,
                file_format=file_format,
                max_shard_size=max_shard_size,
                num_proc=num_proc,
                **download_and_prepare_kwargs,
            )
            self.info.write_to_directory(temporary)
            (Path(temporary) / CODE).write_text(self._code())
            self._move(temporary, place, mode is DownloadMode.FORCE_REDOWNLOAD or there)
        finally:
            self._output_dir = wanted
            shutil.rmtree(temporary, ignore_errors=True)

    def _move(self, temporary: str, place: str, anew: bool) -> None:
        """Move the files from the temporary folder to their final place."""
        # What says that it is whole comes last, and goes first.
        names = sorted(
            os.listdir(temporary), key=lambda name: (name == config.DATASET_INFO_FILENAME, name)
        )
        if self._fs is not None:
            self._fs.makedirs(place, exist_ok=True)
            self._fs.invalidate_cache()
            # Where folders are only a part of names, one without files is not there.
            there = self._fs.ls(place, detail=True) if self._fs.isdir(place) else []
            for name in self._made_before(
                [one["name"].rsplit("/", 1)[-1] for one in there if one["type"] == "file"]
            ):
                self._fs.rm_file(f"{place}/{name}")
            for name in names:
                if name != CODE:
                    self._fs.put_file(os.path.join(temporary, name), f"{place}/{name}")
            return

        os.chmod(temporary, 0o777 & ~umask())
        if os.path.isdir(place) and (
            anew or not os.path.exists(f"{place}/{config.DATASET_INFO_FILENAME}")
        ):
            for name in self._made_before(
                [name for name in os.listdir(place) if os.path.isfile(os.path.join(place, name))]
            ):
                os.remove(os.path.join(place, name))
        try:
            os.rename(temporary, place)
        except OSError:
            if os.path.exists(f"{place}/{config.DATASET_INFO_FILENAME}"):
                return  # another process was first, and made the same
            for name in names:
                os.replace(os.path.join(temporary, name), os.path.join(place, name))

    def _made_before(self, names: list[str]) -> list[str]:
        """Return the files in a folder that a builder wrote earlier, the description first.

        Other files there are left alone.
        """
        ours = [
            name
            for name in names
            if name in (config.DATASET_INFO_FILENAME, CODE)
            or name.startswith(f"{self.dataset_name}-")
        ]
        return sorted(ours, key=lambda name: (name != config.DATASET_INFO_FILENAME, name))

    def _download_and_prepare(
        self,
        dl_manager: DownloadManager,
        verification_mode: VerificationMode,
        **prepare_split_kwargs: Any,
    ) -> None:
        result = SplitDict(dataset_name=self.dataset_name)
        generators = list(self._split_generators(dl_manager))
        recorded = dl_manager.get_recorded_sizes_checksums()
        if verification_mode is VerificationMode.ALL_CHECKS:
            verify_checksums(self.info.download_checksums, recorded)
        for generator in generators:
            if str(generator.split_info.name).lower() == "all":
                raise InvalidArgumentError(
                    "`all` is a special split keyword corresponding to the union of all splits, so"
                    " cannot be used as key"
                )
            result.add(generator.split_info)
            self._prepare_split(generator, **prepare_split_kwargs)
        dl_manager.manage_extracted_files()
        if verification_mode is not VerificationMode.NO_CHECKS:
            verify_splits(self.info.splits, result)
        self.info.splits = result
        self.info.download_size = dl_manager.downloaded_size
        if self._record_checksums:
            self.info.download_checksums = recorded
        self.info.dataset_size = sum(one.num_bytes or 0 for one in result.values())
        self.info.size_in_bytes = self.info.dataset_size + self.info.download_size
