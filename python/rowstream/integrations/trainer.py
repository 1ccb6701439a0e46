"""Exact resume of streams in the `Trainer` of transformers, and in the trainers of trl."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.distributed import merge_state_dicts, split_dataset_by_node
from rowstream.exceptions import CheckpointMismatchError
from rowstream.loader.loader import DataLoader
from rowstream.loader.ranks import Agreement, gathered, initialized

_FILE = "rowstream_state.json"  # in the folder of a checkpoint


class ResumableTrainer:
    """A first base of a trainer's class, which makes it resume streams exactly.

    `class MyTrainer(ResumableTrainer, Trainer): pass`, and the same with `SFTTrainer`, `DPOTrainer`
    and others. A checkpoint has the place of every rank in `rowstream_state.json`. Training resumes
    with the batch that would have come, in the second pass too, and reads nothing again. Each rank
    reads its own rows, and a pass ends where the first rank ends. With another number of ranks
    every row of the pass comes once.

    Map-style datasets, evaluation, and streams that are not ours, are the trainer's own business.

    Example:
        >>> from rowstream.integrations.trainer import ResumableTrainer
        >>> class Trainer: ...
        >>> class MyTrainer(ResumableTrainer, Trainer): ...
    """

    _batches: _InProcess | _InWorkers | None = None
    _resumed = False
    _random_loaded = False

    def _get_dataloader(
        self,
        dataset: Any,
        description: str,
        batch_size: int,
        sampler_fn: Any = None,
        is_training: bool = False,
        **others: Any,
    ) -> Any:
        trainer: Any = self
        # Those that sample several answers to a prompt divide each batch among the ranks.
        of_groups = trainer.args.world_size > 1 and hasattr(self, "num_generations")
        if not is_training or not isinstance(dataset, IterableDataset) or of_groups:
            return super()._get_dataloader(  # type: ignore[misc]
                dataset, description, batch_size, sampler_fn, is_training, **others
            )
        collate = trainer._get_collator_with_removed_columns(
            trainer.data_collator, description=description
        )
        if trainer.args.remove_unused_columns and dataset.column_names:
            # Those that no one uses are not read, either.
            used = [name for name in dataset.column_names if name in trainer._signature_columns]
            dataset = dataset.select_columns(used) if used else dataset
        kind = _InWorkers if trainer.args.dataloader_num_workers else _InProcess
        self._batches = kind(dataset, batch_size, collate, trainer.args)
        return self._batches

    def _save_rng_state(self, output_dir: str) -> None:
        # It is called on each rank, at each checkpoint that training can resume from.
        super()._save_rng_state(output_dir)  # type: ignore[misc]
        if self._batches is not None:
            state = self._batches.state()
            if self.args.should_save:  # type: ignore[attr-defined]
                with open(os.path.join(output_dir, _FILE), "w", encoding="utf-8") as file:
                    json.dump(state, file)

    def _init_training_state(
        self,
        max_steps: int,
        num_update_steps_per_epoch: int | None,
        num_train_epochs: int,
        resume_from_checkpoint: str | None,
        trial: Any,
    ) -> tuple[int, int]:
        result: tuple[int, int] = super()._init_training_state(  # type: ignore[misc]
            max_steps, num_update_steps_per_epoch, num_train_epochs, resume_from_checkpoint, trial
        )
        self._resumed = self._random_loaded = False
        path = os.path.join(resume_from_checkpoint or "", _FILE)
        if self._batches is None or resume_from_checkpoint is None or not os.path.isfile(path):
            return result
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        if not isinstance(state, dict) or state.get("rowstream.trainer") != 1:
            raise CheckpointMismatchError(
                f"{path} was not written by a ResumableTrainer: resume from another checkpoint, or"
                " remove the file to read the data from its start"
            )
        self._batches.load(state)
        self._resumed = True
        return self._batches.epoch, self._batches.given

    def _run_epoch(self, *, resume_from_checkpoint: str | None, **others: Any) -> Any:
        if not self._resumed:
            return super()._run_epoch(  # type: ignore[misc]
                resume_from_checkpoint=resume_from_checkpoint, **others
            )
        import transformers

        def at_its_place(loader: Any, number: int) -> Any:  # noqa: ARG001
            if isinstance(self._batches, _InProcess):
                # What makes the first batch may draw random numbers.
                self._load_rng_state(resume_from_checkpoint)
            return loader

        module = transformers.trainer
        skips, module.skip_first_batches = module.skip_first_batches, at_its_place
        try:
            return super()._run_epoch(  # type: ignore[misc]
                resume_from_checkpoint=resume_from_checkpoint, **others
            )
        finally:
            module.skip_first_batches = skips

    def _load_rng_state(self, checkpoint: Any) -> None:
        # Once, before the first batch; where workers make it, after it, as the trainer does.
        if self._resumed and self._random_loaded and isinstance(self._batches, _InProcess):
            return
        self._random_loaded = True
        super()._load_rng_state(checkpoint)  # type: ignore[misc]


class _Batches:
    """What a trainer iterates: no loader of torch, so that `accelerate` hands it on as it is.

    Attributes:
        epoch: The pass that is under way, or comes next.
        given: The batches that this rank had of it.
    """

    workers = 0

    def __init__(self, dataset: IterableDataset, batch_size: int, args: Any) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        self.drop_last: bool = args.dataloader_drop_last
        self.rank, self.ranks = int(args.process_index), int(args.world_size)
        self.epoch = self.given = 0

    def _own(self) -> Any:
        """Return the state of this rank."""
        raise NotImplementedError

    def _load(self, states: list[Any]) -> None:
        """Go on at the states of all ranks."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return the places of all ranks, which call it at once."""
        return {
            "rowstream.trainer": 1,
            "epoch": self.epoch,
            "given": self.given,
            "workers": self.workers,
            "ranks": gathered(self._own()),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on at the places of all ranks."""
        if bool(state["workers"]) != bool(self.workers):
            raise CheckpointMismatchError(
                f"the checkpoint was saved with dataloader_num_workers={state['workers']}, and now"
                f" there are {self.workers}: train on with 0, or with any number but 0, as before"
            )
        ranks = state["ranks"]
        self.epoch, self.given = state["epoch"], state["given"] * len(ranks) // self.ranks
        self._load(ranks)


class _InProcess(_Batches):
    """Batches made in this process."""

    def __init__(self, dataset: IterableDataset, batch_size: int, collate: Any, args: Any) -> None:
        super().__init__(dataset, batch_size, args)
        self._loader = DataLoader(
            dataset,
            batch_size,
            collate_fn=collate,
            drop_last=self.drop_last,
            world=(self.rank, self.ranks) if dataset._rank is None else None,
            on_uneven="stop",
        )

    def __len__(self) -> int:
        return len(self._loader)

    def set_epoch(self, epoch: int) -> None:
        """Set the pass; a place that was loaded stays, if it is in it."""
        if epoch != self.epoch:
            self.epoch, self.given = epoch, 0
        self._loader.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            self.given += 1
            if self._loader.last:
                self.epoch, self.given = self.epoch + 1, 0
            yield batch

    def _own(self) -> Any:
        return self._loader.state_dict()

    def _load(self, states: list[Any]) -> None:
        self._loader.load_state_dict(states)


class _InWorkers(_Batches):
    """Batches made by the worker processes of torchdata's loader."""

    def __init__(self, dataset: IterableDataset, batch_size: int, collate: Any, args: Any) -> None:
        from torchdata.stateful_dataloader import StatefulDataLoader

        super().__init__(dataset, batch_size, args)
        if self.ranks > 1 and dataset._rank is None:
            self.dataset = split_dataset_by_node(dataset, self.rank, self.ranks)
        self.workers = args.dataloader_num_workers
        self._loader = StatefulDataLoader(
            self.dataset,
            batch_size,
            num_workers=self.workers,
            collate_fn=collate,
            drop_last=self.drop_last,
            prefetch_factor=args.dataloader_prefetch_factor,
            persistent_workers=args.dataloader_persistent_workers,
        )
        distributed = initialized()
        self._agreement = None if distributed is None else Agreement(distributed)
        self._resumed = False

    def __len__(self) -> int:
        raise TypeError("the number of batches of several workers is not known")

    def set_epoch(self, epoch: int) -> None:
        """Set the pass; a place that was loaded stays, if it is in it."""
        if epoch != self.epoch:
            self.epoch, self.given, self._resumed = epoch, 0, False
        if not self._resumed:
            self.dataset.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        self.given, self._resumed = self.given if self._resumed else 0, False
        batches: Iterator[Any] = iter(self._loader)
        even = (
            ((batch, False) for batch in batches)
            if self._agreement is None
            else self._agreement.evenly(batches, "stop")
        )
        for batch, _ in even:
            self.given += 1
            yield batch
        self.epoch, self.given = self.epoch + 1, 0

    def _own(self) -> Any:
        return self._loader.state_dict() if self.given else None

    def _load(self, states: list[Any]) -> None:
        self._resumed = self.given > 0
        if not self._resumed:
            self.dataset.set_epoch(self.epoch)
        elif len(states) == self.ranks and _workers_of(states[self.rank]) == self.workers:
            self._loader.load_state_dict(states[self.rank])
        else:
            self.dataset.load_state_dict(merge_state_dicts(states))


def _workers_of(state: Any) -> int:
    """Return how many workers a loader of torchdata had when its state was saved."""
    return int(state.get("_snapshot", {}).get("_main_snapshot", {}).get("_num_workers", 0))
