"""Data sets uploaded to the Hub, as Parquet files and a card that names them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rowstream import config
from rowstream.exceptions import InvalidArgumentError
from rowstream.info import DatasetInfo, DatasetInfosDict
from rowstream.splits.info import SplitDict, SplitInfo
from rowstream.utils.arguments import convert_file_size_to_int

if TYPE_CHECKING:
    from rowstream.features.features import Features


@dataclass(frozen=True)
class UploadOptions:
    """How a data set is uploaded to the Hub: the parameters of `push_to_hub`.

    Args:
        repo_id: `"org/name"`.
        config_name: the configuration.
        set_default: whether it is the one that is loaded without a name.
        split: the split; that of the data set, or `"train"`.
        data_dir: the folder of the files; the configuration's name if `None`, or `data`.
        commit_message: the title of the commit.
        commit_description: the text of the commit.
        private: whether a new repository is private.
        token: the token for the Hub.
        revision: the branch.
        create_pr: whether a pull request is made.
        max_shard_size: the bytes of a file; `"500MB"` if `None`.
        num_shards: the number of files, instead; by split for several.
        embed_external_files: whether files that columns of media name are put in.
        num_proc: accepted; files are made one after another and uploaded side by side.
    """

    repo_id: str
    config_name: str = "default"
    set_default: bool | None = None
    split: str | None = None
    data_dir: str | None = None
    commit_message: str | None = None
    commit_description: str | None = None
    private: bool | None = None
    token: str | None = None
    revision: str | None = None
    create_pr: bool | None = False
    max_shard_size: str | int | None = None
    num_shards: Any = None
    embed_external_files: bool = True
    num_proc: int | None = None

    def __post_init__(self) -> None:
        if self.max_shard_size is not None and self.num_shards is not None:
            raise InvalidArgumentError(
                "Failed to push_to_hub: please specify either max_shard_size or num_shards, but not"
                " both."
            )


def uploader(
    upload: Callable[[Any, UploadOptions], Any], several: bool = False
) -> Callable[..., Any]:
    """Give a method `push_to_hub` whose parameters are those of `UploadOptions`.

    Args:
        upload: does it, with the options that a caller gave.
        several: whether it uploads all splits, so that none is named.
    """
    parameters = [
        one
        for one in inspect.signature(UploadOptions).parameters.values()
        if not (several and one.name == "split")
    ]
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([own, *parameters])

    def push_to_hub(*args: Any, **kwargs: Any) -> Any:
        given = dict(signature.bind(*args, **kwargs).arguments)
        return upload(given.pop("self"), UploadOptions(**given))

    push_to_hub.__signature__ = signature  # type: ignore[attr-defined]  # functions take it
    what = "the splits" if several else "the rows"
    _, arguments = inspect.cleandoc(UploadOptions.__doc__ or "").split("\n\n", 1)
    push_to_hub.__doc__ = (
        f"Upload {what} to a data set of the Hub, as Parquet files that its card names."
        f"\n\n{arguments}"
    )
    return push_to_hub


def push(splits: dict[str, Any], options: UploadOptions, *, whole: bool) -> Any:
    """Upload splits. Gives what `huggingface_hub` says of the commit.

    Args:
        splits: map-style data sets by split.
        options: how; `num_shards` by split.
        whole: whether the configuration has these splits only: what other files it has are removed.
    """
    from huggingface_hub import (
        CommitOperationAdd,
        CommitOperationDelete,
        DatasetCard,
        DatasetCardData,
        HfApi,
    )
    from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError

    if options.config_name == "data":
        raise InvalidArgumentError(
            "`config_name` cannot be 'data'. Please, choose another name for configuration."
        )
    for name in splits:
        if not name or not all(part.isidentifier() for part in name.split(".")):
            raise InvalidArgumentError(
                f"Split name should match '\\w+(\\.\\w+)*' but got '{name}'."
            )
    api = HfApi(endpoint=config.HF_ENDPOINT, token=options.token)
    repo_id = api.create_repo(
        options.repo_id, repo_type="dataset", private=options.private, exist_ok=True
    ).repo_id
    if options.revision is not None and not options.revision.startswith("refs/pr/"):
        api.create_branch(repo_id, branch=options.revision, repo_type="dataset", exist_ok=True)
    folder = options.data_dir or (
        options.config_name if options.config_name != "default" else "data"
    )
    most = convert_file_size_to_int(options.max_shard_size or config.MAX_SHARD_SIZE)
    additions, infos = [], SplitDict(dataset_name=repo_id.rsplit("/", 1)[-1])
    size = total = 0
    for name, ds in splits.items():
        nbytes = ds._estimate_nbytes()
        count = (options.num_shards or {}).get(name) or max(
            1, min(len(ds) or 1, math.ceil(nbytes / most))
        )
        for i in range(count):
            buffer = BytesIO()
            (
                ds.shard(count, i, contiguous=True).to_parquet(buffer)
                if count > 1
                else ds.to_parquet(buffer)
            )
            size += buffer.tell()
            path = f"{folder}/{name}-{i:05d}-of-{count:05d}.parquet"
            additions.append(
                CommitOperationAdd(path_in_repo=path, path_or_fileobj=buffer.getvalue())
            )
        infos.add(
            SplitInfo(name, num_bytes=nbytes, num_examples=len(ds), dataset_name=infos.dataset_name)
        )
        total += nbytes
    new = {one.path_in_repo for one in additions}
    try:
        there = [
            one.path
            for one in api.list_repo_tree(
                repo_id, folder, repo_type="dataset", revision=options.revision
            )
            if hasattr(one, "size")
        ]
    except (EntryNotFoundError, RepositoryNotFoundError):
        there = []
    gone = [
        path
        for path in there
        if path not in new
        and (whole or any(path.startswith(f"{folder}/{name}-") for name in splits))
    ]
    try:
        card = DatasetCard.load(
            api.hf_hub_download(
                repo_id, "README.md", repo_type="dataset", revision=options.revision
            )
        )
    except (EntryNotFoundError, RepositoryNotFoundError):
        card = None
    data = card.data if card is not None else DatasetCardData()
    first: Features = next(iter(splits.values())).features
    before = DatasetInfosDict.from_dataset_card_data(data).get(options.config_name)
    if before is not None and before.splits and not whole:
        if before.features is not None and before.features != first:
            raise InvalidArgumentError(
                "Features of the new split don't match the features of the existing splits on the"
                f" hub: {first} != {before.features}"
            )
        kept = SplitDict(dataset_name=infos.dataset_name)
        for name, one in before.splits.items():
            kept.add(infos.get(name, one))
        for name in infos:
            if name not in kept:
                kept.add(infos[name])
        infos = kept
    info = DatasetInfo(
        features=first,
        splits=infos,
        download_size=size,
        dataset_size=sum(one.num_bytes for one in infos.values()),
    )
    DatasetInfosDict({options.config_name: info}).to_dataset_card_data(data)
    _configured(data, options.config_name, folder, list(infos), options.set_default)
    text = str(DatasetCard(f"---\n{data}\n---\n") if card is None else card)
    additions.append(CommitOperationAdd(path_in_repo="README.md", path_or_fileobj=text.encode()))
    return api.create_commit(
        repo_id,
        operations=[*additions, *(CommitOperationDelete(path_in_repo=path) for path in gone)],
        commit_message=options.commit_message or "Upload dataset",
        commit_description=options.commit_description or "",
        repo_type="dataset",
        revision=options.revision,
        create_pr=options.create_pr,
    )


def _configured(
    data: Any, config_name: str, folder: str, splits: list[str], set_default: bool | None
) -> None:
    """Names the files of a configuration in a card's data."""
    configs = [dict(one) for one in data.get("configs") or []]
    known = {one["config_name"]: one for one in configs}
    before = {
        one["split"]: one["path"]
        for one in (known.get(config_name) or {}).get("data_files") or []
        if isinstance(one, dict)
    }
    files = [{"split": name, "path": before.get(name, f"{folder}/{name}-*")} for name in splits]
    result = {**known.get(config_name, {}), "config_name": config_name, "data_files": files}
    if set_default:
        if config_name == "default":
            raise InvalidArgumentError(
                "There exists a configuration named 'default'. To set a different configuration as"
                " default, rename it."
            )
        for one in configs:
            one.pop("default", None)
        result["default"] = True
    known[config_name] = result
    data["configs"] = [
        known[name]
        for name in dict.fromkeys([*(one["config_name"] for one in configs), config_name])
    ]
