"""Names of formats."""

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
    """Return the name of a format that an alias stands for; anything else as it is."""
    return ALIASES.get(format_type, format_type)
