"""Search indexes over columns, by Faiss and Elasticsearch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rowstream.exceptions import InvalidArgumentError, RowstreamError


class MissingIndex(RowstreamError):
    """An error for an index name that the dataset does not have."""


class SearchResults(NamedTuple):
    """Results of a search: scores, and positions of rows."""

    scores: list[float]
    indices: list[int]


class BatchedSearchResults(NamedTuple):
    """Results of several searches: lists of scores, and lists of row positions."""

    total_scores: list[list[float]]
    total_indices: list[list[int]]


class NearestExamplesResults(NamedTuple):
    """The nearest rows of a query: scores, and the rows as a batch."""

    scores: list[float]
    examples: dict[str, Any]


class BatchedNearestExamplesResults(NamedTuple):
    """The nearest rows of several queries: lists of scores, and a batch of rows for each."""

    total_scores: list[list[float]]
    total_examples: list[dict[str, Any]]


@dataclass
class FaissIndex:
    """An index of vectors by Faiss, which has to be installed.

    Args:
        device: `-1` moves the index to all GPUs; other values leave it on the CPU.
        string_factory: The kind of index, as for `faiss.index_factory`; a flat one if `None`.
        metric_type: The metric, such as `faiss.METRIC_INNER_PRODUCT`; the default if `None`.
        custom_index: A Faiss index to use instead of `string_factory`.
    """

    device: Any = None
    string_factory: str | None = None
    metric_type: int | None = None
    custom_index: Any = None

    def __post_init__(self) -> None:
        if self.string_factory is not None and self.custom_index is not None:
            raise InvalidArgumentError(
                "Please specify either `string_factory` or `custom_index` but not both."
            )
        self.faiss_index = self.custom_index

    @staticmethod
    def _faiss() -> Any:
        try:
            import faiss
        except ImportError as error:
            raise ImportError(
                "add_faiss_index needs the package faiss: pip install faiss-cpu"
            ) from error
        return faiss

    def add_vectors(
        self,
        vectors: Any,
        batch_size: int = 1000,
        train_size: int | None = None,
        faiss_verbose: bool | None = None,
    ) -> None:
        """Add vectors, the rows of an array with two dimensions, to the index."""
        faiss = self._faiss()
        array = np.ascontiguousarray(vectors, dtype=np.float32)
        if self.faiss_index is None:
            metric = () if self.metric_type is None else (self.metric_type,)
            size = array.shape[1]
            self.faiss_index = (
                faiss.index_factory(size, self.string_factory, *metric)
                if self.string_factory
                else faiss.IndexFlat(size, *metric)
            )
            if self.device is not None:
                self.faiss_index = (
                    faiss.index_cpu_to_all_gpus(self.faiss_index)
                    if self.device == -1
                    else self.faiss_index
                )
        if train_size is not None:
            self.faiss_index.train(array[:train_size])
        for start in range(0, len(array), batch_size):
            self.faiss_index.add(array[start : start + batch_size])

    def search(self, query: Any, k: int = 10, **kwargs: Any) -> SearchResults:
        """Return the `k` nearest vectors of a query vector."""
        found = self.search_batch(np.asarray(query, dtype=np.float32).reshape(1, -1), k, **kwargs)
        return SearchResults(found.total_scores[0], found.total_indices[0])

    def search_batch(self, queries: Any, k: int = 10, **kwargs: Any) -> BatchedSearchResults:
        """Return the `k` nearest vectors of each query vector."""
        array = np.asarray(queries)
        if array.ndim != 2:
            raise InvalidArgumentError("Shape of query must be 2D")
        scores, rows = self.faiss_index.search(
            np.ascontiguousarray(array, dtype=np.float32), k, **kwargs
        )
        return BatchedSearchResults(scores.tolist(), rows.astype(int).tolist())

    def save(self, file: Any) -> None:
        """Write the index to a file."""
        self._faiss().write_index(self.faiss_index, os.fspath(file))

    @classmethod
    def load(cls, file: Any, device: Any = None) -> FaissIndex:
        """Return the index from a file that `save` wrote."""
        result = cls(device=device)
        result.faiss_index = cls._faiss().read_index(os.fspath(file))
        return result


class ElasticSearchIndex:
    """An index of texts in Elasticsearch, whose client has to be installed."""

    def __init__(
        self,
        host: Any = None,
        port: Any = None,
        es_client: Any = None,
        es_index_name: Any = None,
        es_index_config: Any = None,
    ) -> None:
        if es_client is not None and (host is not None or port is not None):
            raise InvalidArgumentError(
                "Please specify either `es_client` or `(host, port)`, but not both."
            )
        if es_client is None:
            try:
                from elasticsearch import Elasticsearch
            except ImportError as error:
                raise ImportError(
                    "add_elasticsearch_index needs a package: pip install elasticsearch"
                ) from error
            es_client = Elasticsearch([{"host": host or "localhost", "port": str(port or 9200)}])
        self.es_client, self.es_index_name = (
            es_client,
            es_index_name or f"rowstream-{os.urandom(4).hex()}",
        )
        self.es_index_config = es_index_config or {
            "mappings": {"properties": {"text": {"type": "text"}}}
        }

    def add_documents(self, documents: Any, column: str | None = None) -> None:
        """Create the index in Elasticsearch and add texts to it."""
        from elasticsearch.helpers import streaming_bulk

        self.es_client.indices.create(index=self.es_index_name, body=self.es_index_config)
        texts = documents[column] if column is not None else documents
        actions = (
            {"_op_type": "index", "_index": self.es_index_name, "_id": i, "text": text}
            for i, text in enumerate(texts)
        )
        for _ in streaming_bulk(client=self.es_client, index=self.es_index_name, actions=actions):
            pass

    def search(self, query: str, k: int = 10, **kwargs: Any) -> SearchResults:
        """Return the `k` texts that match a query best."""
        body = {
            "query": {"multi_match": {"query": query, "fields": ["text"], "type": "cross_fields"}},
            "size": k,
        }
        hits = self.es_client.search(index=self.es_index_name, body=body, **kwargs)["hits"]["hits"]
        return SearchResults([hit["_score"] for hit in hits], [int(hit["_id"]) for hit in hits])

    def search_batch(
        self, queries: Any, k: int = 10, max_workers: int = 10, **kwargs: Any
    ) -> BatchedSearchResults:
        """Return the `k` texts that match each query best."""
        found = [self.search(query, k, **kwargs) for query in queries]
        return BatchedSearchResults([one.scores for one in found], [one.indices for one in found])
