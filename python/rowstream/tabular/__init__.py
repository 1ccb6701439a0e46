"""Tabular competitions: their data as items for a loader, and their rows as text.

    from rowstream.tabular import DatasetSpec, TitanicDataset

    ds = TitanicDataset(DatasetSpec.infer("data/titanic"))      # train.csv and test.csv of Kaggle
    ds[0]       # {'text': 'Braund, Mr. Owen Harris, …', 'labels': 0, 'metadata': {'id': 1}}

A competition of your own is a subclass of `KaggleDataset`; `DatasetRegistry` knows competitions by
name. `TextTemplateEngine` and `TabularTextConverter` make text of tables and streams.
"""

from rowstream.tabular.engine import TabularTextConverter, TextTemplateEngine
from rowstream.tabular.kaggle import KaggleDataset
from rowstream.tabular.registry import DatasetRegistry
from rowstream.tabular.spec import CompetitionMetadata, CompetitionType, DatasetSpec
from rowstream.tabular.templates import JinjaTemplate, StringTemplate, TextTemplate
from rowstream.tabular.titanic import TitanicDataset

__all__ = [
    "CompetitionMetadata",
    "CompetitionType",
    "DatasetRegistry",
    "DatasetSpec",
    "JinjaTemplate",
    "KaggleDataset",
    "StringTemplate",
    "TabularTextConverter",
    "TextTemplate",
    "TextTemplateEngine",
    "TitanicDataset",
]
