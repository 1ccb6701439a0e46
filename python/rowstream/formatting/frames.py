"""Formatters for pandas and Polars data frames."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from rowstream.arrow.stored import polars_frame
from rowstream.features.encode import decode_nested_example
from rowstream.formatting.python import FrameFormatter

if TYPE_CHECKING:
    import pandas as pd


class PandasFormatter(FrameFormatter):
    """The formatter that returns pandas data frames."""

    name = "pandas"

    def _frame(self, pa_table: Any) -> pd.DataFrame:
        from rowstream.arrow.pandas import pandas_types_mapper

        frame = pa_table.to_pandas(types_mapper=pandas_types_mapper)
        for name in pa_table.column_names:
            if self._decodes(name):
                decode = partial(decode_nested_example, self.features[name])
                frame[name] = [
                    None if value is None else decode(value)
                    for value in pa_table.column(name).to_pylist()
                ]
        return frame


class PolarsFormatter(FrameFormatter):
    """The formatter that returns Polars data frames."""

    name = "polars"

    def _frame(self, pa_table: Any) -> pd.DataFrame:
        try:
            import polars as pl
        except ImportError as error:
            raise ValueError(
                "Polars needs to be installed to be able to return Polars dataframes."
            ) from error
        frame = polars_frame(pa_table)
        for name in pa_table.column_names:
            if self._decodes(name):
                values = [
                    None if one is None else decode_nested_example(self.features[name], one)
                    for one in pa_table.column(name).to_pylist()
                ]
                frame = frame.with_columns(pl.Series(name, values, dtype=pl.Object))
        return frame
