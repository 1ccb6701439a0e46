"""Nearest-neighbour and text search over the rows of a dataset, by Faiss or Elasticsearch."""

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
    """Methods that attach search indexes to a dataset, each under a name."""

    def __init__(self) -> None:
        self._indexes: dict[str, Any] = {}

    def is_index_initialized(self, index_name: str) -> bool:
        """Return whether an index with this name is attached.

        Args:
            index_name: The name of the index.

        Example:
            >>> Dataset.from_dict({"a": [1]}).is_index_initialized("a")
            False
        """
        return index_name in self._indexes

    def list_indexes(self) -> list[str]:
        """Return the names of the attached indexes.

        Example:
            >>> Dataset.from_dict({"a": [1]}).list_indexes()
            []
        """
        return list(self._indexes)

    def get_index(self, index_name: str) -> Any:
        """Return the index with this name.

        Args:
            index_name: The name of the index.

        Returns:
            A `FaissIndex` or an `ElasticSearchIndex`.

        Raises:
            MissingIndex: No index with this name is attached.

        Example:
            >>> Dataset.from_dict({"a": [1]}).get_index("a")
            Traceback (most recent call last):
            rowstream.integrations.search.MissingIndex: Index with index_name 'a' not initialized...
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
        """Add a Faiss index over a column of vectors and return this same dataset.

        The index is kept in memory only: write it with `save_faiss_index`. Needs the package
        `faiss-cpu` or `faiss-gpu`. Rows can't be selected, filtered, sorted or shuffled before
        `drop_index`.

        Args:
            column: The column of vectors, all of the same length.
            index_name: The name of the index; the column's name if `None`.
            device: `-1` moves the index to all GPUs; other values leave it on the CPU.
            string_factory: A description for `faiss.index_factory`, such as `"HNSW32"`; a flat
                (exact) index if `None`.
            metric_type: A Faiss metric, such as `faiss.METRIC_INNER_PRODUCT`; the Euclidean
                distance if `None`.
            custom_index: An empty Faiss index to use instead of `string_factory`.
            batch_size: The number of vectors that are added at a time.
            train_size: How many vectors to train the index on, as some kinds need; `None` for none.
            faiss_verbose: Accepted and ignored.
            dtype: The NumPy type in which the column is read; Faiss gets `float32` in any case.

        Raises:
            ImportError: Faiss is not installed.
            InvalidArgumentError: Both `string_factory` and `custom_index` are given.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b"], "vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds = ds.add_faiss_index("vector")  # doctest: +SKIP
            >>> ds.search("vector", [0.9, 0.1], k=1).indices  # doctest: +SKIP
            [1]
        """
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
        """Add a Faiss index over vectors that are not in a column.

        Args:
            external_arrays: An array with one vector for each row, of shape (rows, dimensions).
            index_name: The name of the index.
            device, string_factory, metric_type, custom_index: As in `add_faiss_index`.
            batch_size, train_size, faiss_verbose: As in `add_faiss_index`.
            dtype: The NumPy type to which the vectors are converted first.

        Raises:
            ImportError: Faiss is not installed.

        Example:
            >>> vectors = [[0.0, 1.0], [1.0, 0.0]]
            >>> ds = Dataset.from_dict({"text": ["a", "b"]})
            >>> ds.add_faiss_index_from_external_arrays(vectors, "vectors")  # doctest: +SKIP
            >>> ds.search("vectors", [0.9, 0.1], k=1).indices  # doctest: +SKIP
            [1]
        """
        index = FaissIndex(device, string_factory, metric_type, custom_index)
        index.add_vectors(
            np.asarray(external_arrays, dtype=dtype), batch_size, train_size, faiss_verbose
        )
        self._indexes[index_name] = index

    def save_faiss_index(
        self, index_name: str, file: Any, storage_options: dict[str, Any] | None = None
    ) -> None:
        """Write a Faiss index to a local file.

        Args:
            index_name: The name of the index.
            file: The path of the file.
            storage_options: Accepted and ignored: the file is local.

        Raises:
            MissingIndex: No index with this name is attached.
            InvalidArgumentError: It is not a Faiss index.

        Example:
            >>> ds = Dataset.from_dict({"vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds = ds.add_faiss_index("vector")  # doctest: +SKIP
            >>> ds.save_faiss_index("vector", "my.faiss")  # doctest: +SKIP
        """
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
        """Attach a Faiss index that `save_faiss_index` wrote.

        The index has to be of the same rows in the same order, which is not checked.

        Args:
            index_name: The name under which it is attached.
            file: The path of a local file.
            device, storage_options: Accepted and ignored: the file is local, the index on the CPU.

        Example:
            >>> ds = Dataset.from_dict({"vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds.load_faiss_index("vector", "my.faiss")  # doctest: +SKIP
        """
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
        """Add an Elasticsearch index over a column of texts, and return this same dataset.

        The texts are sent to the server, where the index stays. Needs the package `elasticsearch`.

        Args:
            column: The column of texts.
            index_name: The name of the index in this dataset; the column's name if `None`.
            host: The server's host; `"localhost"` if `None`.
            port: The server's port; 9200 if `None`.
            es_client: An `elasticsearch.Elasticsearch` client, instead of `host` and `port`.
            es_index_name: The index's name on the server, which must not exist yet; a random name
                if `None`.
            es_index_config: The settings and mappings with which the index is created.

        Raises:
            ImportError: The client is not installed.
            InvalidArgumentError: Both `es_client` and `host` or `port` are given.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a red fox", "a blue bird"]})
            >>> ds = ds.add_elasticsearch_index("text", host="localhost")  # doctest: +SKIP
            >>> ds.get_nearest_examples("text", "fox", k=1).examples["text"]  # doctest: +SKIP
            ['a red fox']
        """
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
        """Attach an Elasticsearch index that is on the server already.

        Args:
            index_name: The name under which it is attached.
            es_index_name: The index's name on the server.
            host, port, es_client, es_index_config: As in `add_elasticsearch_index`.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a red fox", "a blue bird"]})
            >>> ds.load_elasticsearch_index("text", "my-index", host="localhost")  # doctest: +SKIP
        """
        self._indexes[index_name] = ElasticSearchIndex(
            host, port, es_client, es_index_name, es_index_config
        )

    def drop_index(self, index_name: str) -> None:
        """Detach an index, after which rows can be selected again.

        Files and indexes on a server stay.

        Args:
            index_name: The name of the index.

        Raises:
            KeyError: No index with this name is attached.

        Example:
            >>> ds = Dataset.from_dict({"vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds.add_faiss_index("vector").drop_index("vector")  # doctest: +SKIP
        """
        del self._indexes[index_name]

    def search(self, index_name: str, query: Any, k: int = 10, **kwargs: Any) -> SearchResults:
        """Return the scores and positions of the rows nearest to a query.

        Args:
            index_name: The name of the index.
            query: A vector for a Faiss index, a text for Elasticsearch.
            k: The number of rows to find.
            **kwargs: More arguments for the search of Faiss or Elasticsearch.

        Returns:
            A named tuple of `scores` and `indices`. Faiss fills up `indices` with -1 if it finds
            fewer than `k` rows.

        Raises:
            MissingIndex: No index with this name is attached.

        Example:
            >>> ds = Dataset.from_dict({"vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds.add_faiss_index("vector").search("vector", [1.0, 0.0], k=1)  # doctest: +SKIP
            SearchResults(scores=[0.0], indices=[1])
        """
        found: SearchResults = self.get_index(index_name).search(query, k, **kwargs)
        return found

    def search_batch(
        self, index_name: str, queries: Any, k: int = 10, **kwargs: Any
    ) -> BatchedSearchResults:
        """Return the scores and positions of the rows nearest to each of several queries.

        Args:
            index_name: The name of the index.
            queries: An array of vectors of two dimensions for a Faiss index, a list of texts for
                Elasticsearch.
            k: The number of rows to find for each query.
            **kwargs: As in `search`.

        Returns:
            A named tuple of `total_scores` and `total_indices`, with a list for each query.

        Raises:
            MissingIndex: No index with this name is attached.

        Example:
            >>> ds = Dataset.from_dict({"vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds = ds.add_faiss_index("vector")  # doctest: +SKIP
            >>> ds.search_batch("vector", [[1.0, 0.0], [0.0, 1.0]], k=1)  # doctest: +SKIP
            BatchedSearchResults(total_scores=[[0.0], [0.0]], total_indices=[[1], [0]])
        """
        found: BatchedSearchResults = self.get_index(index_name).search_batch(queries, k, **kwargs)
        return found

    def get_nearest_examples(
        self, index_name: str, query: Any, k: int = 10, **kwargs: Any
    ) -> NearestExamplesResults:
        """Return the scores of the rows nearest to a query, and the rows themselves.

        Args:
            index_name, query, k, **kwargs: As in `search`.

        Returns:
            A named tuple of `scores` and `examples`, a dict of columns. It has fewer than `k` rows
            if the index finds fewer.

        Raises:
            MissingIndex: No index with this name is attached.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b"], "vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds = ds.add_faiss_index("vector")  # doctest: +SKIP
            >>> found = ds.get_nearest_examples("vector", [1.0, 0.0], k=1)  # doctest: +SKIP
            >>> found.examples["text"]  # doctest: +SKIP
            ['b']
        """
        scores, rows = self.search(index_name, query, k, **kwargs)
        there = [i for i in rows if i >= 0]
        return NearestExamplesResults(scores[: len(there)], self[there])  # type: ignore[index]  # of a data set

    def get_nearest_examples_batch(
        self, index_name: str, queries: Any, k: int = 10, **kwargs: Any
    ) -> BatchedNearestExamplesResults:
        """Return the scores of the rows nearest to several queries, and the rows themselves.

        Args:
            index_name, queries, k, **kwargs: As in `search_batch`.

        Returns:
            A named tuple of `total_scores` and `total_examples`, with an item for each query.

        Raises:
            MissingIndex: No index with this name is attached.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b"], "vector": [[0.0, 1.0], [1.0, 0.0]]})
            >>> ds = ds.add_faiss_index("vector")  # doctest: +SKIP
            >>> found = ds.get_nearest_examples_batch("vector", [[1.0, 0.0]], k=1)  # doctest: +SKIP
            >>> found.total_examples[0]["text"]  # doctest: +SKIP
            ['b']
        """
        found = self.search_batch(index_name, queries, k, **kwargs)
        rows = [[i for i in one if i >= 0] for one in found.total_indices]
        scores = [one[: len(some)] for one, some in zip(found.total_scores, rows, strict=True)]
        return BatchedNearestExamplesResults(scores, [self[some] for some in rows])  # type: ignore[index]  # of a data set
