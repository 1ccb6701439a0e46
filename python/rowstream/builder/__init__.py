"""Builders: classes that users subclass to define datasets in code."""

from rowstream.builder.builder import DatasetBuilder
from rowstream.builder.config import BuilderConfig, InvalidConfigName
from rowstream.builder.generate import ArrowBasedBuilder, GeneratorBasedBuilder, Key

__all__ = [
    "ArrowBasedBuilder",
    "BuilderConfig",
    "DatasetBuilder",
    "GeneratorBasedBuilder",
    "InvalidConfigName",
    "Key",
]
