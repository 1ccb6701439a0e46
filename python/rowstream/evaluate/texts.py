"""Texts beside references: BLEU by sacrebleu, ROUGE by rouge-score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rowstream.evaluate.answers import each
from rowstream.evaluate.metric import Metric
from rowstream.exceptions import UnsupportedError


class Bleu(Metric):
    """BLEU of a corpus, from 0 to 100, as `sacrebleu` computes it (Post, 2018).

    Args:
        options: Those of `sacrebleu.metrics.BLEU`, such as `tokenize="zh"` or `lowercase=True`.

    Raises:
        UnsupportedError: `sacrebleu` is not installed.
    """

    names = ("bleu",)

    def __init__(self, **options: Any) -> None:
        try:
            from sacrebleu.metrics import BLEU
        except ImportError as e:
            raise UnsupportedError(
                "the metric 'bleu' uses the package sacrebleu: pip install 'rowstream[eval]'"
            ) from e
        # Some ways of smoothing change the counts, which are summed here first.
        plain = {"effective_order": True, **options, "smooth_method": "none", "smooth_value": None}
        self._bleu = BLEU(**plain)
        self._corpus = BLEU(**options)

    def statistics(self, predictions: Sequence[Any], references: Sequence[Any]) -> Any:
        """Return the n-grams that match, those that there are, and both lengths."""
        made = []
        for prediction, reference in zip(predictions, references, strict=True):
            score = self._bleu.sentence_score(
                str(prediction), [str(one) for one in each(reference)]
            )
            made.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
        return np.array(made, np.float64).reshape(len(made), -1)

    def scores(self, sums: Any, count: Any) -> dict[str, Any]:
        """Return BLEU, from 0 to 100."""
        del count
        flat = np.rint(sums.reshape(-1, sums.shape[-1])).astype(int)
        orders = (flat.shape[1] - 2) // 2
        made = [
            self._corpus.compute_bleu(
                correct=row[:orders].tolist(),
                total=row[orders : 2 * orders].tolist(),
                sys_len=int(row[-2]),
                ref_len=int(row[-1]),
                smooth_method=self._corpus.smooth_method,
                smooth_value=self._corpus.smooth_value,
                effective_order=self._corpus.effective_order,
                max_ngram_order=self._corpus.max_ngram_order,
            ).score
            for row in flat
        ]
        return {"bleu": np.array(made).reshape(sums.shape[:-1])}


class Rouge(Metric):
    """Means of the F-measures of ROUGE over items, as `rouge-score` computes them (Lin, 2004).

    Args:
        names: Of `"rouge1"`, …, `"rougeL"` and `"rougeLsum"`.
        stemmer: Whether words are stemmed, which is for English.
        tokenizer: An object with `tokenize(text)`. The default drops all but Latin letters and
            digits, so that texts in other scripts need one.

    Raises:
        UnsupportedError: `rouge-score` is not installed.
    """

    def __init__(
        self,
        names: Sequence[str] = ("rouge1", "rouge2", "rougeL"),
        stemmer: bool = False,
        tokenizer: Any = None,
    ) -> None:
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ImportError as e:
            raise UnsupportedError(
                "the metric 'rouge' uses the package rouge-score: pip install 'rowstream[eval]'"
            ) from e
        self.names = tuple(names)
        self._scorer = RougeScorer(list(names), use_stemmer=stemmer, tokenizer=tokenizer)

    def statistics(self, predictions: Sequence[Any], references: Sequence[Any]) -> Any:
        """Return the F-measures of items: of the reference that fits best, for each name."""
        made = []
        for prediction, reference in zip(predictions, references, strict=True):
            texts = [str(one) for one in each(reference)]
            score = (
                self._scorer.score(texts[0], str(prediction))
                if len(texts) == 1
                else self._scorer.score_multi(texts, str(prediction))
            )
            made.append([score[name].fmeasure for name in self.names])
        return np.array(made, np.float64).reshape(len(made), len(self.names))

    def scores(self, sums: Any, count: Any) -> dict[str, Any]:
        """Return the means of F-measures."""
        count = np.maximum(count, 1e-12)
        return {name: sums[..., i] / count for i, name in enumerate(self.names)}

    def items(self, statistics: Any) -> dict[str, Any]:
        """Return the F-measures of items."""
        return {name: statistics[:, i] for i, name in enumerate(self.names)}
