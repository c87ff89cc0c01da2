"""The candidates of a first stage: BM25, the nearest vectors of an embedding model, or a run."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jina_rerank.lines import InputError, LineError

from .. import embedders, runs, terminal
from ..bm25 import BM25, best
from ..collections import Collection
from ..store import Store

BM25_NAME = "bm25"

PLACE = "{collection}"
"""What stands for the name of the collection in the name of a run."""

BLOCK = 64
"""Queries that are compared with the corpus at once."""


class FirstStage:
    """Finds candidates; an embedding model is loaded once, when it is first needed.

    Args:
        retriever: `bm25`, the file of a run, in whose name ``{collection}`` stands for the name of
            the collection, or an embedding model.
        store: Where vectors are kept.
        device: Where an embedding model runs.
    """

    def __init__(
        self, retriever: str, *, store: Store | None = None, device: str | None = None
    ) -> None:
        self._retriever = retriever
        self._store = store
        self._device = device

    @cached_property
    def _embedder(self) -> embedders.Embedder:
        return embedders.find(self._retriever, store=self._store, device=self._device)

    def candidates(self, collection: Collection, depth: int) -> dict[str, dict[str, float]]:
        """Find the candidates of every query.

        A document with the id of the query is none of them: in BEIR, some queries are documents.

        Args:
            collection: The queries and the corpus.
            depth: How many for each query.

        Raises:
            InputError: The run cannot be read, or is of another collection.
            ModelNotFoundError: There is no such file and no such model.
        """
        name = self._retriever.replace(PLACE, collection.name)
        if self._retriever == BM25_NAME:
            found = _words(collection, depth + 1)
        elif Path(name).is_file() or name.removesuffix(".gz").endswith(runs.SUFFIXES):
            found = _run(collection, Path(name))
        else:
            found = _nearest(collection, self._embedder, depth + 1)
        others = {
            query: {name: score for name, score in scores.items() if name != query}
            for query, scores in found.items()
        }
        return runs.cut(others, depth)


def _words(collection: Collection, depth: int) -> dict[str, dict[str, float]]:
    names = list(collection.corpus)
    index = BM25([passage.full for passage in collection.corpus.values()])
    found = {}
    with terminal.progress(f"{collection.name}: {BM25_NAME}", len(collection.queries)) as advance:
        for query, text in collection.queries.items():
            found[query] = {names[place]: score for place, score in index.search(text, depth)}
            advance(1)
    return found


def _run(collection: Collection, path: Path) -> dict[str, dict[str, float]]:
    """Read a run, which may be of more queries than are asked."""
    run = runs.read(path, check=_known(collection))
    found = {query: run.get(query, {}) for query in collection.queries}
    if not any(found.values()):
        msg = f"{str(path)!r} has none of the queries of {collection.name}; is it the right file?"
        raise InputError(msg)
    return found


def _known(collection: Collection) -> Callable[[str, str], None]:
    def check(_query: str, document: str) -> None:
        if document not in collection.corpus:
            msg = f"names document {document!r}, which is not in the corpus of {collection.name}"
            raise LineError(msg)

    return check


def _nearest(
    collection: Collection, embedder: embedders.Embedder, depth: int
) -> dict[str, dict[str, float]]:
    names = list(collection.corpus)
    texts = [passage.full for passage in collection.corpus.values()]
    vectors = _encode(f"{collection.name}: {embedder.name}", embedder, texts)
    queries = list(collection.queries)
    asked = embedder.encode(list(collection.queries.values()), query=True)
    found: dict[str, dict[str, float]] = {}
    for start in range(0, len(queries), BLOCK):
        products: NDArray[np.float32] = asked[start : start + BLOCK] @ vectors.T
        for query, scores in zip(queries[start : start + BLOCK], products, strict=True):
            found[query] = {names[place]: float(scores[place]) for place in best(scores, depth)}
    return found


def _encode(action: str, embedder: embedders.Embedder, texts: list[str]) -> NDArray[np.float32]:
    parts = []
    with terminal.progress(action, len(texts)) as advance:
        for start in range(0, len(texts), embedders.CHUNK):
            some = texts[start : start + embedders.CHUNK]
            parts.append(embedder.encode(some))
            advance(len(some))
    return np.concatenate(parts)
