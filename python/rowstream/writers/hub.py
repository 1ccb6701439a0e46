"""Uploads of datasets to the Hub, as Parquet files and a card that lists them."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rowstream import config
from rowstream.exceptions import InvalidArgumentError
from rowstream.info import DatasetInfo, DatasetInfosDict
from rowstream.splits.info import SplitDict, SplitInfo
from rowstream.utils.arguments import convert_file_size_to_int
from rowstream.writers.shards import Output

if TYPE_CHECKING:
    from rowstream.features.features import Features


@dataclass(frozen=True)
class UploadOptions:
    """The options of an upload to the Hub: the parameters of `push_to_hub`.

    Other configurations of the dataset on the Hub are kept. A dict replaces all splits of its
    configuration, a single dataset only its own split.

    Args:
        repo_id: The name of the dataset, `"org/name"`; it is created if it does not exist.
        config_name: The name of the configuration.
        set_default: Make this the configuration that is loaded by default.
        split: The name of the split; by default that of the dataset, or `"train"`. Dicts of
            datasets have no such argument.
        data_dir: The folder of the files; by default the name of the configuration, or `"data"`.
        commit_message: The title of the commit; `"Upload dataset"` if `None`.
        commit_description: The text of the commit.
        private: Whether a new dataset is private; as the Hub decides if `None`.
        token: The token for the Hub; by default that of `hf auth login`.
        revision: The branch, which is created if it does not exist.
        create_pr: Create a pull request instead of a commit on the branch.
        max_shard_size: The size of a file in bytes, or as text; `"500MB"` if `None`.
        num_shards: The number of files, instead of `max_shard_size`; for dicts, a dict by split.
        embed_external_files: Whether media files of this machine are uploaded inside the Parquet
            files, in the place of their paths.
        num_proc: Accepted, without effect.

    Returns:
        The `huggingface_hub.CommitInfo` of the commit.

    Raises:
        InvalidArgumentError: A name is not valid, both `max_shard_size` and `num_shards` are given,
            or the features differ from those of the other splits on the Hub.

    Example:
        >>> ds.push_to_hub("org/name", private=True)  # doctest: +SKIP
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
    """Return a method `push_to_hub` whose parameters are those of `UploadOptions`.

    Args:
        upload: The function that uploads, with the options of the caller.
        several: Whether it uploads all splits, so that it has no argument `split`.
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
        f"Upload {what} to a dataset of the Hub, as Parquet files that its card lists."
        f"\n\n{arguments}"
    )
    return push_to_hub


def push(splits: dict[str, Any], options: UploadOptions, *, whole: bool) -> Any:
    """Upload splits, and return the commit as `huggingface_hub` describes it.

    Args:
        splits: Map-style datasets by split.
        options: The options; `num_shards` by split.
        whole: Whether these are all splits of the configuration; its other files are removed.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    _check_names(options.config_name, splits)
    api = HfApi(endpoint=config.HF_ENDPOINT, token=options.token)
    repo_id = api.create_repo(
        options.repo_id, repo_type="dataset", private=options.private, exist_ok=True
    ).repo_id
    if options.revision is not None and not options.revision.startswith("refs/pr/"):
        api.create_branch(repo_id, branch=options.revision, repo_type="dataset", exist_ok=True)
    folder = options.data_dir or (
        options.config_name if options.config_name != "default" else "data"
    )
    files: dict[str, bytes] = {}
    infos = SplitDict(dataset_name=repo_id.rsplit("/", 1)[-1])
    for name, ds in splits.items():
        nbytes = ds._estimate_nbytes()
        files |= _files(
            f"{folder}/{name}", ds, nbytes, options, (options.num_shards or {}).get(name)
        )
        infos.add(
            SplitInfo(name, num_bytes=nbytes, num_examples=len(ds), dataset_name=infos.dataset_name)
        )
    there = _files_there(api, repo_id, folder, options.revision)
    gone = [
        path
        for path in there
        if path not in files
        and (whole or any(path.startswith(f"{folder}/{name}-") for name in splits))
    ]
    kept = {path: size for path, size in there.items() if path not in {*files, *gone}}
    card, data = _card(api, repo_id, options.revision)
    features: Features = next(iter(splits.values())).features
    if not whole:
        before = DatasetInfosDict.from_dataset_card_data(data).get(options.config_name)
        infos = _with_others(infos, features, before)
    info = DatasetInfo(
        features=features,
        splits=infos,
        download_size=sum(map(len, files.values())) + sum(kept.values()),
        dataset_size=sum(one.num_bytes for one in infos.values()),
    )
    DatasetInfosDict({options.config_name: info}).to_dataset_card_data(data)
    others = [] if whole else [found[1] for path in kept if (found := _SHARD.search(path))]
    _configured(data, options, folder, [*splits], [*infos, *others], whole=whole)
    files["README.md"] = str(card(data)).encode()
    return api.create_commit(
        repo_id,
        operations=[
            *(CommitOperationAdd(path, content) for path, content in files.items()),
            *(CommitOperationDelete(path) for path in gone),
        ],
        commit_message=options.commit_message or "Upload dataset",
        commit_description=options.commit_description or "",
        repo_type="dataset",
        revision=options.revision,
        create_pr=options.create_pr,
    )


def _check_names(config_name: str, splits: dict[str, Any]) -> None:
    """Raise for the name of a configuration, or of a split, that cannot be."""
    if config_name == "data":
        raise InvalidArgumentError(
            "`config_name` cannot be 'data'. Please, choose another name for configuration."
        )
    for name in splits:
        if not name or not all(part.isidentifier() for part in name.split(".")):
            raise InvalidArgumentError(
                f"Split name should match '\\w+(\\.\\w+)*' but got '{name}'."
            )


def _files(
    stem: str, ds: Any, nbytes: int, options: UploadOptions, count: int | None
) -> dict[str, bytes]:
    """Return the Parquet files of a split, by their paths."""
    most = convert_file_size_to_int(options.max_shard_size or config.MAX_SHARD_SIZE)
    count = count or max(1, min(len(ds) or 1, math.ceil(nbytes / most)))
    files = {}
    for i in range(count):
        buffer = BytesIO()
        part = ds.shard(count, i, contiguous=True) if count > 1 else ds
        part._write_parquet(Output(buffer, None, None, None), embed=options.embed_external_files)
        files[f"{stem}-{i:05d}-of-{count:05d}.parquet"] = buffer.getvalue()
    return files


_SHARD = re.compile(r"([^/]+)-\d{5}-of-\d{5}\.parquet$")


def _files_there(api: Any, repo_id: str, folder: str, revision: str | None) -> dict[str, int]:
    """Return the sizes of the files that a folder on the Hub has, by their paths."""
    from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError

    try:
        tree = list(api.list_repo_tree(repo_id, folder, repo_type="dataset", revision=revision))
    except (EntryNotFoundError, RepositoryNotFoundError):
        return {}
    return {one.path: one.size or 0 for one in tree if hasattr(one, "size")}


def _card(api: Any, repo_id: str, revision: str | None) -> tuple[Callable[[Any], Any], Any]:
    """Return the data of a dataset's card, and the function that makes the card of them."""
    from huggingface_hub import DatasetCard, DatasetCardData
    from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError

    try:
        path = api.hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=revision)
    except (EntryNotFoundError, RepositoryNotFoundError):
        return lambda data: DatasetCard(f"---\n{data}\n---\n"), DatasetCardData()
    # The card writes its own data.
    card = DatasetCard.load(path)
    return lambda _: card, card.data


def _with_others(infos: SplitDict, features: Features, before: DatasetInfo | None) -> SplitDict:
    """Return the splits together with those of the Hub that they do not replace.

    Raises:
        InvalidArgumentError: The features are others than those on the Hub.
    """
    if before is None or not before.splits:
        return infos
    others = before.splits.keys() - infos.keys()
    if others and before.features is not None and before.features != features:
        raise InvalidArgumentError(
            "Features of the new split don't match the features of the existing splits on the"
            f" hub: {features} != {before.features}"
        )
    together = SplitDict(dataset_name=infos.dataset_name)
    for name in dict.fromkeys([*before.splits, *infos]):
        together.add(infos.get(name) or before.splits[name])
    return together


def _configured(
    data: Any,
    options: UploadOptions,
    folder: str,
    pushed: list[str],
    splits: list[str],
    *,
    whole: bool,
) -> None:
    """List the files of a configuration in the data of a card.

    Args:
        data: The data of the card.
        options: The options of the upload.
        folder: The folder of the files.
        pushed: The splits that are uploaded.
        splits: These and others that are known of.
        whole: Whether there are no others.
    """
    name = options.config_name
    known = {one.get("config_name", "default"): dict(one) for one in data.get("configs") or []}
    before = {} if whole else _paths(known.get(name, {}).get("data_files"))
    paths = {
        split: f"{folder}/{split}-*"
        if split in pushed
        else before.get(split, f"{folder}/{split}-*")
        for split in dict.fromkeys([*before, *splits])
    }
    files = [{"split": split, "path": path} for split, path in paths.items()]
    if options.set_default and name != "default":
        if "default" in known:
            raise InvalidArgumentError(
                "There exists a configuration named 'default'. To set a different configuration as"
                " default, rename the 'default' one first."
            )
        for one in known.values():
            one.pop("default", None)
    known[name] = {**known.get(name, {}), "config_name": name, "data_files": files}
    if options.set_default and name != "default":
        known[name]["default"] = True
    data["configs"] = [{"config_name": config, **one} for config, one in known.items()]


def _paths(data_files: Any) -> dict[str, Any]:
    """Return the paths of splits, in any of the forms that cards have."""
    if isinstance(data_files, dict):
        return dict(data_files)
    if isinstance(data_files, list) and all(isinstance(one, dict) for one in data_files):
        return {one["split"]: one["path"] for one in data_files}
    return {"train": data_files} if data_files else {}
