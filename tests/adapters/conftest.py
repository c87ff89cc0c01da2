"""What the tests of all adapters share: one corpus, embedded once, and one reranker."""

from pathlib import Path

import pytest

from jina_rerank import Reranker

from .collection import BM25, Collection, Embedder


@pytest.fixture(scope="session")
def collection(fixtures: Path) -> Collection:
    """729 passages of Wikipedia and 80 questions that one of them answers."""
    return Collection(fixtures / "nq-mini")


@pytest.fixture(scope="session")
def embedder(collection: Collection, pytestconfig: pytest.Config) -> Embedder:
    """The embedding model, which has read the whole collection, in this run or an earlier one."""
    embedder = Embedder(pytestconfig.cache.mkdir("embeddings"))
    embedder([passage.text for passage in collection.passages])
    embedder([question.text for question in collection.questions])
    embedder.keep()
    return embedder


@pytest.fixture(scope="session")
def bm25(collection: Collection) -> BM25:
    """BM25 over the collection."""
    return BM25(collection.passages)


@pytest.fixture(scope="session")
def nano() -> Reranker:
    """The built-in model, for `reranker=`: it scores a pair once for all tests."""
    return Reranker("nano", cache=100_000)
