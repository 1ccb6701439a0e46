"""Runs of evaluations: kept, compared, and written as others read them.

    from rowstream.evaluate.results import Exporter, ResultStore

    store = ResultStore("results.sqlite")
    store.save(evaluate(predictions, items), "baseline", model="mine")
    print(store.compare("baseline", "tuned"))       # item by item, with a p-value
    Exporter(store.load("tuned")).to_lm_eval("results")

`read_lm_eval` and `read_inspect` read runs that were made elsewhere.
"""

from rowstream.evaluate.results.compare import RunComparison, compare
from rowstream.evaluate.results.export import Exporter
from rowstream.evaluate.results.inspect_log import read_inspect
from rowstream.evaluate.results.lm_eval import read_lm_eval
from rowstream.evaluate.results.run import Run
from rowstream.evaluate.results.store import ResultStore

__all__ = [
    "Exporter",
    "ResultStore",
    "Run",
    "RunComparison",
    "compare",
    "read_inspect",
    "read_lm_eval",
]
