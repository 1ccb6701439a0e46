"""Data sets uploaded to the Hub, as Parquet files and a card that names them."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rowstream import config
from rowstream.exceptions import InvalidArgumentError
from rowstream.info import DatasetInfo, DatasetInfosDict
from rowstream.splits.info import SplitDict, SplitInfo
from rowstream.utils.arguments import convert_file_size_to_int

if TYPE_CHECKING:
    from rowstream.features.features import Features


def push(
    splits: dict[str, Any],
    repo_id: str,
    config_name: str,
    set_default: bool | None,
    data_dir: str | None,
    commit_message: str | None,
    commit_description: str | None,
    private: bool | None,
    token: Any,
    revision: str | None,
    create_pr: bool | None,
    max_shard_size: Any,
    num_shards: dict[str, int | None],
    *,
    whole: bool,
) -> Any:
    """Upload splits. Gives what `huggingface_hub` says of the commit.

    Args:
        splits: map-style data sets by split.
        whole: whether the configuration has these splits only: what other files it has are
            removed. repo_id, config_name, set_default, data_dir, commit_message,
            commit_description, private, token, revision, create_pr, max_shard_size, num_shards: as
            those of `Dataset.push_to_hub`.
    """
    from huggingface_hub import (
        CommitOperationAdd,
        CommitOperationDelete,
        DatasetCard,
        DatasetCardData,
        HfApi,
    )
    from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError

    if config_name == "data":
        raise InvalidArgumentError(
            "`config_name` cannot be 'data'. Please, choose another name for configuration."
        )
    if max_shard_size is not None and any(one is not None for one in num_shards.values()):
        raise InvalidArgumentError(
            "Failed to push_to_hub: please specify either max_shard_size or num_shards, but not"
            " both."
        )
    for name in splits:
        if not name or not all(part.isidentifier() for part in name.split(".")):
            raise InvalidArgumentError(
                f"Split name should match '\\w+(\\.\\w+)*' but got '{name}'."
            )
    api = HfApi(endpoint=config.HF_ENDPOINT, token=token)
    repo_id = api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True).repo_id
    if revision is not None and not revision.startswith("refs/pr/"):
        api.create_branch(repo_id, branch=revision, repo_type="dataset", exist_ok=True)
    folder = data_dir or (config_name if config_name != "default" else "data")
    most = convert_file_size_to_int(max_shard_size or config.MAX_SHARD_SIZE)
    additions, infos = [], SplitDict(dataset_name=repo_id.rsplit("/", 1)[-1])
    size = total = 0
    for name, ds in splits.items():
        nbytes = ds._estimate_nbytes()
        count = num_shards.get(name) or max(1, min(len(ds) or 1, math.ceil(nbytes / most)))
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
            for one in api.list_repo_tree(repo_id, folder, repo_type="dataset", revision=revision)
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
            api.hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=revision)
        )
    except (EntryNotFoundError, RepositoryNotFoundError):
        card = None
    data = card.data if card is not None else DatasetCardData()
    first: Features = next(iter(splits.values())).features
    before = DatasetInfosDict.from_dataset_card_data(data).get(config_name)
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
    DatasetInfosDict({config_name: info}).to_dataset_card_data(data)
    _configured(data, config_name, folder, list(infos), set_default)
    text = str(DatasetCard(f"---\n{data}\n---\n") if card is None else card)
    additions.append(CommitOperationAdd(path_in_repo="README.md", path_or_fileobj=text.encode()))
    return api.create_commit(
        repo_id,
        operations=[*additions, *(CommitOperationDelete(path_in_repo=path) for path in gone)],
        commit_message=commit_message or "Upload dataset",
        commit_description=commit_description or "",
        repo_type="dataset",
        revision=revision,
        create_pr=create_pr,
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
    made = {**known.get(config_name, {}), "config_name": config_name, "data_files": files}
    if set_default:
        if config_name == "default":
            raise InvalidArgumentError(
                "There exists a configuration named 'default'. To set a different configuration as"
                " default, rename it."
            )
        for one in configs:
            one.pop("default", None)
        made["default"] = True
    known[config_name] = made
    data["configs"] = [
        known[name]
        for name in dict.fromkeys([*(one["config_name"] for one in configs), config_name])
    ]
