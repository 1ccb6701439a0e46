"""Builders: what scripts subclass to make data sets."""

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
