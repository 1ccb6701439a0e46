"""`Dataset`: rows at random."""

from rowstream.dataset.map_style.dataset import Dataset, update_metadata_with_features
from rowstream.dataset.map_style.dataset_dict import DatasetDict

Dataset._dict_class = DatasetDict

__all__ = ["Dataset", "DatasetDict", "update_metadata_with_features"]
