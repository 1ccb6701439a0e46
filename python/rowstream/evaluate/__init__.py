"""Scores of predictions: metrics with confidence intervals, in one pass over lists or datasets.

    from rowstream.evaluate import evaluate

    result = evaluate(["Paris", "1976"], ["paris", "in 1976"], metrics=["exact_match", "token_f1"])
    print(result)                       # a table
    result["exact_match"].value         # 0.5

- `exact_match`, `token_f1`: answers, normalized as SQuAD does; `equal`: the same text or number;
- `accuracy`, `precision`, `recall`, `f1`: classes;
- `bleu` (package `sacrebleu`), `rouge1`, `rouge2`, `rougeL` (`rouge-score`): texts;
- `math`: mathematical answers (`math-verify`);
- `pass_at_k` for programs, `win_rate` for preferences.
"""

from rowstream.evaluate.classes import Classification
from rowstream.evaluate.counts import pass_at_k, win_rate
from rowstream.evaluate.metric import Metric, Score
from rowstream.evaluate.names import list_metrics, register_metric
from rowstream.evaluate.result import ItemResult, Result
from rowstream.evaluate.run import evaluate

__all__ = [
    "Classification",
    "ItemResult",
    "Metric",
    "Result",
    "Score",
    "evaluate",
    "list_metrics",
    "pass_at_k",
    "register_metric",
    "win_rate",
]
