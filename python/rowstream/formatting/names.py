"""The names and aliases of formats."""

from __future__ import annotations

ALIASES = {
    None: None,
    "python": None,
    "arrow": "arrow",
    "pa": "arrow",
    "pyarrow": "arrow",
    "numpy": "numpy",
    "np": "numpy",
    "pandas": "pandas",
    "pd": "pandas",
    "polars": "polars",
    "pl": "polars",
    "torch": "torch",
    "pt": "torch",
    "pytorch": "torch",
    "tensorflow": "tensorflow",
    "tf": "tensorflow",
    "jax": "jax",
    "mlx": "mlx",
    "custom": "custom",
}


def get_format_type_from_alias(format_type: str | None) -> str | None:
    """Return the name of the format with this alias; other names are returned as they are."""
    return ALIASES.get(format_type, format_type)
