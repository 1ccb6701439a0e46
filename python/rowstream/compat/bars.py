"""The progress bar of `datasets`: that of tqdm, hidden by `disable_progress_bars`."""

from __future__ import annotations

from functools import cache
from typing import Any

from rowstream.utils.progress import are_progress_bars_disabled


@cache
def _bar() -> Any:
    from tqdm.auto import tqdm as plain

    class tqdm(plain):  # type: ignore[misc]  # noqa: N801 - its name in `datasets`; tqdm comes without types
        """The bar of tqdm, which draws nothing while progress bars are disabled."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if are_progress_bars_disabled():
                kwargs["disable"] = True
            super().__init__(*args, **kwargs)

        def __delattr__(self, attr: str) -> None:
            # tqdm's own threads take a lock away that may be gone.
            try:
                super().__delattr__(attr)
            except AttributeError:
                if attr != "_lock":
                    raise

    tqdm.__qualname__ = "tqdm"
    return tqdm


def __getattr__(name: str) -> Any:
    """Import `tqdm` when it is first used."""
    if name == "tqdm":
        return _bar()
    raise AttributeError(f"module 'rowstream.compat.bars' has no attribute {name!r}")
