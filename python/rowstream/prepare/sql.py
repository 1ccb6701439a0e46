"""The rows of a database query, written to the cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.features.cast import cast_table_to_features
from rowstream.features.features import Features
from rowstream.fingerprint.transform import generate_random_fingerprint, update_fingerprint
from rowstream.info import DatasetInfo
from rowstream.prepare.cache import folder, open_table
from rowstream.utils import logging
from rowstream.utils.atomic import create_file
from rowstream.writers.arrow import ArrowWriter

if TYPE_CHECKING:
    from rowstream.prepare.plan import Made


_ROWS = 10_000
_logger = logging.get_logger(__name__)


def prepare_query(
    make: Callable[..., Made],
    sql: Any,
    con: Any,
    features: Features | None,
    cache_dir: Any,
    keep_in_memory: bool,
    options: dict[str, Any],
) -> Made:
    """Return the dataset of a query, of the class `make`."""
    import pandas as pd

    size = options.pop("chunksize", _ROWS)
    given = None if features is None else Features(features)

    said = {
        "sql": str(sql),
        "con": con,
        "options": repr(sorted(options.items())),
        "features": None if given is None else given.to_dict(),
    }
    if isinstance(con, str):
        name = update_fingerprint("sql", "rowstream.from_sql@1", said)
    else:
        # A connection has no content to go by.
        name = generate_random_fingerprint()
        _logger.info(
            "from_sql: the %s couldn't be hashed properly, so the query is made each time; a URI as"
            " text is found again",
            type(con).__name__,
        )
    path = os.path.join(folder(cache_dir, "sql", f"default-{name}"), "train.arrow")

    def write(temporary: str) -> None:
        with ArrowWriter(path=temporary, features=given, fingerprint=name) as writer:
            for frame in pd.read_sql(sql, con, chunksize=size, **options):
                table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(
                    None
                )
                writer.write_table(table if given is None else cast_table_to_features(table, given))
            writer.finalize()

    # A database changes: what is there is only used where nothing but text says what is asked.
    create_file(path, write, anew=True)
    info = DatasetInfo(
        builder_name="sql", dataset_name="sql", config_name="default", features=given
    )
    return make(open_table(path, keep_in_memory), info=info, split="train")
