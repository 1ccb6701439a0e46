"""Runs as tables and as the files of others."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rowstream.dataset.map_style.dataset import Dataset
from rowstream.evaluate.result import text_table
from rowstream.evaluate.results.as_json import dumps, without_nan
from rowstream.evaluate.results.files import free, safe_name, write_text
from rowstream.evaluate.results.inspect_log import write_inspect
from rowstream.evaluate.results.lm_eval import write_lm_eval
from rowstream.evaluate.results.run import Run
from rowstream.exceptions import InvalidArgumentError, UnsupportedError


class Exporter:
    """Writes runs: their items as rows, their scores as tables, and what others read.

    Args:
        runs: A run, or several.

    Raises:
        InvalidArgumentError: There are none.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> from rowstream.evaluate.results import Exporter, Run
        >>> result = evaluate(["4", "6"], ["4", "5"], metrics=["equal"], confidence=None)
        >>> print(Exporter(Run.of(result, "baseline", task="sums")).to_markdown())
        | run      | task | model | items | equal  |
        |----------|------|-------|-------|--------|
        | baseline | sums |       | 2     | 0.5000 |
    """

    def __init__(self, runs: Run | Iterable[Run]) -> None:
        self._runs = [runs] if isinstance(runs, Run) else [*runs]
        if not self._runs or not all(isinstance(run, Run) for run in self._runs):
            kind = type(runs).__name__
            raise InvalidArgumentError(
                f"Exporter: expected runs, found a {kind}; Run.of(result, name) makes one of a"
                " result"
            )

    def to_dataset(self) -> Dataset:
        """Return the items of all runs as a dataset, a row each.

        Returns:
            A `Dataset` with `run`, `task`, `model`, `id`, `input`, `target`, `prediction`,
            `choices`, `metadata`, and a column `score_…` for each score. What is no text is its
            JSON.

        Example:
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> run = Run.of(evaluate(["a"], ["a"]), "first")
            >>> Exporter(run).to_dataset()[0]["score_exact_match"]
            1.0
        """
        items = [(run, item) for run in self._runs for item in run.items]
        names = dict.fromkeys(name for _, item in items for name in item.scores)
        columns: dict[str, list[Any]] = {
            "run": [run.name for run, _ in items],
            "task": [run.task for run, _ in items],
            "model": [run.model for run, _ in items],
        }
        for name in ("id", "input", "target", "prediction", "choices", "metadata"):
            columns[name] = [_text(getattr(item, name), name) for _, item in items]
        for name in names:
            columns[f"score_{name}"] = [item.scores.get(name) for _, item in items]
        return Dataset.from_dict(columns)

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write the items as JSON Lines.

        Args:
            path: The file.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> path = os.path.join(tempfile.mkdtemp(), "items.jsonl")
            >>> Exporter(Run.of(evaluate(["a"], ["a"]), "first")).to_jsonl(path)
            >>> Dataset.from_json(path).num_rows
            1
        """
        self.to_dataset().to_json(path)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the items as CSV.

        Args:
            path: The file.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> path = os.path.join(tempfile.mkdtemp(), "items.csv")
            >>> Exporter(Run.of(evaluate(["a"], ["a"]), "first")).to_csv(path)
            >>> Dataset.from_csv(path).num_rows
            1
        """
        self.to_dataset().to_csv(path)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the items as Parquet.

        Args:
            path: The file.

        Example:
            >>> import os, tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> path = os.path.join(tempfile.mkdtemp(), "items.parquet")
            >>> Exporter(Run.of(evaluate(["a"], ["a"]), "first")).to_parquet(path)
            >>> Dataset.from_parquet(path).num_rows
            1
        """
        self.to_dataset().to_parquet(path)

    def to_markdown(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the scores as a table in Markdown: a row for each run.

        Args:
            path: Also write it there.

        Example:
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> run = Run.of(evaluate(["a"], ["a"]), "first")
            >>> "exact_match" in Exporter(run).to_markdown()
            True
        """
        return _written(text_table(self._table()), path)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the scores as a table in HTML: a row for each run.

        Args:
            path: Also write it there.

        Example:
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> Exporter(Run.of(evaluate(["a"], ["a"]), "<first>")).to_html()[:7]
            '<table>'
        """
        head, *rows = [[html.escape(text) for text in row] for row in self._table()]
        lines = [
            "<table>",
            f"<thead><tr>{''.join(f'<th>{text}</th>' for text in head)}</tr></thead>",
            "<tbody>",
            *(f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>" for row in rows),
            "</tbody>",
            "</table>",
        ]
        return _written("\n".join(lines), path)

    def to_lm_eval(self, folder: str | os.PathLike[str]) -> list[str]:
        """Write the runs as lm-evaluation-harness does: `results_*.json`, `samples_*.jsonl`.

        Args:
            folder: Where to; each model has a folder in it.

        Returns:
            The paths of the files.

        Raises:
            InvalidArgumentError: Two runs are of one task and model, or one has no task.

        Example:
            >>> import tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> run = Run.of(evaluate(["a"], ["a"]), "first", task="echo", model="m")
            >>> len(Exporter(run).to_lm_eval(tempfile.mkdtemp()))
            2
        """
        return write_lm_eval(self._runs, folder)

    def to_inspect(self, path: str | os.PathLike[str]) -> list[str]:
        """Write the runs as logs of inspect, in JSON.

        Args:
            path: A folder; or, of one run, a file whose name ends in `.json`.

        Returns:
            The paths of the files.

        Raises:
            InvalidArgumentError: `path` is a file, and there are several runs.

        Example:
            >>> import tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> run = Run.of(evaluate(["a"], ["a"]), "first", task="echo", model="m")
            >>> len(Exporter(run).to_inspect(tempfile.mkdtemp()))
            1
        """
        if len(self._runs) > 1 and str(path).endswith(".json") and not Path(path).is_dir():
            raise InvalidArgumentError(
                f"{path} is a file, and there are {len(self._runs)} runs: give a folder"
            )
        return [write_inspect(run, path) for run in self._runs]

    def to_hub(
        self,
        folder: str | os.PathLike[str],
        dataset_id: str,
        task_id: str,
        metric: str,
        *,
        source_url: str | None = None,
    ) -> list[str]:
        """Write a score of each run for the Hub: `.eval_results/*.yaml` of a model's repository.

        Args:
            folder: A checkout of the model's repository.
            dataset_id: The benchmark's repository on the Hub, such as `"openai/gsm8k"`.
            task_id: What the benchmark calls the task.
            metric: The score.
            source_url: Where the evaluation is to be seen.

        Returns:
            The paths of the files.

        Raises:
            InvalidArgumentError: A run has no such score.

        Example:
            >>> import tempfile
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Exporter, Run
            >>> run = Run.of(evaluate(["a"], ["a"]), "first")
            >>> paths = Exporter(run).to_hub(tempfile.mkdtemp(), "me/echo", "echo", "exact_match")
            >>> paths[0].endswith("/.eval_results/me_echo_first.yaml")
            True
        """
        try:
            import yaml
        except ImportError as e:
            raise UnsupportedError("to_hub writes YAML: pip install pyyaml") from e
        place = Path(folder) / ".eval_results"
        written: list[str] = []
        for run in self._runs:
            if metric not in run.scores:
                raise InvalidArgumentError(
                    f"the run {run.name!r} has no score {metric!r}; it has {[*run.scores]}"
                )
            entry: dict[str, Any] = {
                "dataset": {"id": dataset_id, "task_id": task_id},
                "value": run.scores[metric].value,
                "date": run.created,
            }
            if source_url is not None:
                entry["source"] = {"url": source_url}
            name = safe_name(re.sub(r"[^\w.-]+", "_", f"{dataset_id}_{run.name}"))
            path = free(place / f"{name}.yaml", written)
            write_text(path, yaml.safe_dump([without_nan(entry)], sort_keys=False))
        return written

    def _table(self) -> list[list[str]]:
        names = [*dict.fromkeys(name for run in self._runs for name in run.scores)]
        return [
            ["run", "task", "model", "items", *names],
            *(
                [
                    *(run.name, run.task, run.model, str(run.count)),
                    *(str(run.scores[name]) if name in run.scores else "" for name in names),
                ]
                for run in self._runs
            ),
        ]


def _text(value: Any, name: str) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if value is None:
        return None
    plain: Any = list(value) if isinstance(value, Sequence) else value
    return dumps(plain, f"the {name} of an item")


def _written(text: str, path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        write_text(Path(path), text + "\n")
    return text
