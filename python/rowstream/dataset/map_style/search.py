"""Nearest rows, by indexes over columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.exceptions import InvalidArgumentError
from rowstream.integrations.search import (
    BatchedNearestExamplesResults,
    BatchedSearchResults,
    ElasticSearchIndex,
    FaissIndex,
    MissingIndex,
    NearestExamplesResults,
    SearchResults,
)


class Indexable:
    """Indexes of a data set by name."""

    def __init__(self) -> None:
        self._indexes: dict[str, Any] = {}

    def is_index_initialized(self, index_name: str) -> bool:
        """Return whether there is an index of that name."""
        return index_name in self._indexes

    def list_indexes(self) -> list[str]:
        """Return the names of the indexes."""
        return list(self._indexes)

    def get_index(self, index_name: str) -> Any:
        """Return the index of a name.

        Raises:
            MissingIndex: there is none.
        """
        if index_name not in self._indexes:
            raise MissingIndex(
                f"Index with index_name '{index_name}' not initialized yet. Please make sure that"
                " you call `add_faiss_index` or `add_elasticsearch_index` first."
            )
        return self._indexes[index_name]

    def add_faiss_index(
        self,
        column: str,
        index_name: str | None = None,
        device: Any = None,
        string_factory: str | None = None,
        metric_type: int | None = None,
        custom_index: Any = None,
        batch_size: int = 1000,
        train_size: int | None = None,
        faiss_verbose: bool = False,
        dtype: Any = np.float32,
    ) -> Any:
        """Make an index over a column of vectors. Gives the data set."""
        with self.formatted_as("numpy", columns=[column], dtype=dtype):  # type: ignore[attr-defined]  # of a data set
            vectors = np.asarray(self[column][:])  # type: ignore[index]  # of a data set
        self.add_faiss_index_from_external_arrays(
            vectors,
            index_name or column,
            device,
            string_factory,
            metric_type,
            custom_index,
            batch_size,
            train_size,
            faiss_verbose,
            dtype,
        )
        return self

    def add_faiss_index_from_external_arrays(
        self,
        external_arrays: Any,
        index_name: str,
        device: Any = None,
        string_factory: str | None = None,
        metric_type: int | None = None,
        custom_index: Any = None,
        batch_size: int = 1000,
        train_size: int | None = None,
        faiss_verbose: bool = False,
        dtype: Any = np.float32,
    ) -> None:
        """Make an index over vectors that are given, one for each row."""
        index = FaissIndex(device, string_factory, metric_type, custom_index)
        index.add_vectors(
            np.asarray(external_arrays, dtype=dtype), batch_size, train_size, faiss_verbose
        )
        self._indexes[index_name] = index

    def save_faiss_index(
        self, index_name: str, file: Any, storage_options: dict[str, Any] | None = None
    ) -> None:
        """Write an index of vectors."""
        index = self.get_index(index_name)
        if not isinstance(index, FaissIndex):
            raise InvalidArgumentError(
                f"Index '{index_name}' is not a FaissIndex but a '{type(index).__name__}'"
            )
        index.save(file)

    def load_faiss_index(
        self,
        index_name: str,
        file: Any,
        device: Any = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        """Read an index of vectors."""
        self._indexes[index_name] = FaissIndex.load(file, device)

    def add_elasticsearch_index(
        self,
        column: str,
        index_name: str | None = None,
        host: str | None = None,
        port: int | None = None,
        es_client: Any = None,
        es_index_name: str | None = None,
        es_index_config: dict[str, Any] | None = None,
    ) -> Any:
        """Make an index over a column of texts. Gives the data set."""
        index = ElasticSearchIndex(host, port, es_client, es_index_name, es_index_config)
        index.add_documents(self, column)
        self._indexes[index_name or column] = index
        return self

    def load_elasticsearch_index(
        self,
        index_name: str,
        es_index_name: str,
        host: str | None = None,
        port: int | None = None,
        es_client: Any = None,
        es_index_config: dict[str, Any] | None = None,
    ) -> None:
        """Take an index of texts that is there."""
        self._indexes[index_name] = ElasticSearchIndex(
            host, port, es_client, es_index_name, es_index_config
        )

    def drop_index(self, index_name: str) -> None:
        """Give up an index."""
        del self._indexes[index_name]

    def search(self, index_name: str, query: Any, k: int = 10, **kwargs: Any) -> SearchResults:
        """Return the rows nearest to a query."""
        found: SearchResults = self.get_index(index_name).search(query, k, **kwargs)
        return found

    def search_batch(
        self, index_name: str, queries: Any, k: int = 10, **kwargs: Any
    ) -> BatchedSearchResults:
        """Return the rows nearest to several queries."""
        found: BatchedSearchResults = self.get_index(index_name).search_batch(queries, k, **kwargs)
        return found

    def get_nearest_examples(
        self, index_name: str, query: Any, k: int = 10, **kwargs: Any
    ) -> NearestExamplesResults:
        """Return the rows nearest to a query, themselves."""
        scores, rows = self.search(index_name, query, k, **kwargs)
        there = [i for i in rows if i >= 0]
        return NearestExamplesResults(scores[: len(there)], self[there])  # type: ignore[index]  # of a data set

    def get_nearest_examples_batch(
        self, index_name: str, queries: Any, k: int = 10, **kwargs: Any
    ) -> BatchedNearestExamplesResults:
        """Return the rows nearest to several queries, themselves."""
        found = self.search_batch(index_name, queries, k, **kwargs)
        rows = [[i for i in one if i >= 0] for one in found.total_indices]
        scores = [one[: len(some)] for one, some in zip(found.total_scores, rows, strict=True)]
        return BatchedNearestExamplesResults(scores, [self[some] for some in rows])  # type: ignore[index]  # of a data set
