"""Rerankers by name: those of the engine, none at all, and the cosine of an embedding model."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jina_rerank import Backend, Reranker, Scores

from . import embedders
from .embedders import SERVICE, Embedder
from .store import Store

NONE = "none"
"""The first stage as it is."""

COSINE = "bi:"
"""How the names of embedding models begin that are used as rerankers."""

LOCAL = frozenset({"max_length", "overlength", "device", "dtype", "batch_tokens"})
REMOTE = frozenset({"base_url"})
"""Options that only a model in this process has, and only a service."""


def find(
    spec: str, *, store: Store | None = None, options: Mapping[str, Any] | None = None
) -> Reranker:
    """Make a reranker; its model loads on first use, or with `load`.

    Args:
        spec: `none` keeps the order of the candidates; ``bi:EMBEDDER`` is the cosine of an
            embedding model (see `embedders.find`); ``api:MODEL`` is a model of Jina's API; anything
            else is what `Reranker` takes: `nano`, `turbo`, a directory, a hub id.
        store: Where scores are kept; None keeps none.
        options: Keywords for `Reranker`, such as `max_length`. Those that are only for a model
            in this process, or only for a service, are left out where the other one is asked.

    Raises:
        TypeError: An option is unknown.
        ValueError: An option is out of range, or contradicts another.

    >>> docs = ["Bread rises because yeast makes gas.", "Mars looks red because of iron rust."]
    >>> [find(spec).rank("Which planet is red?", docs)[0].index for spec in ("none", "nano")]
    [0, 1]
    """
    given = dict(options or {})
    if spec == NONE:
        return Reranker(backend=AsFound())
    if spec.startswith(COSINE):
        backend = Cosine(spec.removeprefix(COSINE), store=store, device=given.get("device"))
        return Reranker(backend=backend)
    service = spec.startswith(SERVICE)
    kept = {
        name: value for name, value in given.items() if name not in (LOCAL if service else REMOTE)
    }
    backend_name = "api" if service else None
    return Reranker(spec.removeprefix(SERVICE), backend=backend_name, cache=store, **kept)


class AsFound(Backend):
    """Gives every candidate the same score, so that they stay in the order of the first stage."""

    name: ClassVar[str] = NONE

    def score(self, query: str, documents: Sequence[str]) -> Scores:  # noqa: ARG002 - a backend's
        """Score each text 0."""
        return Scores(values=[0.0] * len(documents))

    def identity(self) -> str:
        """Name what scores depend on."""
        return NONE


class Cosine(Backend):
    """Scores texts by the cosine of their vector and the query's; the model loads on first use.

    Args:
        spec: The embedding model; see `embedders.find`.
        store: Where vectors are kept, so that a text of several queries is read once; None keeps
            them in memory alone.
        device: See `embedders.find`.
    """

    name: ClassVar[str] = "cosine"

    def __init__(self, spec: str, *, store: Store | None = None, device: str | None = None) -> None:
        self._spec = spec
        self._store = store
        self._device = device
        self._embedder: Embedder | None = None
        self._vectors: dict[bytes, np.ndarray[Any, np.dtype[np.float32]]] = {}

    def load(self) -> None:
        """Load the model."""
        self._model()

    def identity(self) -> str:
        """Name the embedding model."""
        return f"cosine {self._model().identity()}"

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each text; see `Backend.score`."""
        embedder = self._model()
        keys = [hashlib.sha256(text.encode()).digest() for text in documents]
        new = {
            key: text for key, text in zip(keys, documents, strict=True) if key not in self._vectors
        }
        if new:
            vectors = embedder.encode(list(new.values()))
            self._vectors.update(zip(new, vectors, strict=True))
        asked = embedder.encode([query], query=True)[0]
        values = np.stack([self._vectors[key] for key in keys]) @ asked
        return Scores(values=values.tolist())

    def _model(self) -> Embedder:
        if self._embedder is None:
            self._embedder = embedders.find(self._spec, store=self._store, device=self._device)
        return self._embedder
