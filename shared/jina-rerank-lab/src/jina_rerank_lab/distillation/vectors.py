"""Vectors of texts, and of their tokens: what dense mining and the cheap teachers compare."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jina_rerank.errors import CheckpointError, ModelNotFoundError
from jina_rerank.hub import Directory, Hub, Source

from .. import embedders
from . import encoder
from .blocks import Blocks, digest
from .content import content
from .encoder import LoadedEncoder


class Vectors:
    """One embedding model, and what it made of texts, on the disk.

    A BERT encoder with mean pooling is run by our own code, without padding and in bfloat16, which
    is several times as fast on a CPU; any other model by sentence-transformers.

    Args:
        spec: The model, as `embedders.find` takes it.
        blocks: Where vectors are kept.
        device: Where to compute.
    """

    def __init__(self, spec: str, blocks: Blocks, device: torch.device) -> None:
        self.spec = spec
        self._blocks = blocks
        self._device = device
        self._encoder: LoadedEncoder | None = None
        self._embedder: embedders.Embedder | None = None
        self._known: dict[tuple[str, bool], NDArray[np.float32]] = {}

    @cached_property
    def identity(self) -> str:
        """What its vectors depend on: its name, and what is in its directory."""
        return f"{self.spec} {content(source(self.spec))}"

    def of(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """Return the vectors of texts, (n, d), of length 1."""
        which = digest(*texts), query
        if which not in self._known:
            key = ["vectors", self.identity, *map(str, which)]
            what = f"{self.spec}: {'queries' if query else 'passages'}"

            def compute(start: int, stop: int) -> NDArray[np.float32]:
                return self._compute(texts[start:stop], query=query)

            found = self._blocks.rows(what, key, len(texts), compute, size=2048)
            self._known[which] = found.astype(np.float32, copy=False)
        return self._known[which]

    def tokens(self, texts: Sequence[str]) -> tuple[list[list[int]], list[Tensor]]:
        """Return each text's token ids and their vectors (L, C) of length 1, in bfloat16.

        Raises:
            CheckpointError: The model is no BERT encoder.
        """
        loaded = self.load()
        ids = loaded.encode(texts)
        found: list[Tensor] = [torch.empty(0)] * len(ids)
        for indices, states in loaded.states(ids):
            for i, state in zip(indices, states, strict=True):
                found[i] = torch.nn.functional.normalize(state.float(), dim=1).bfloat16().cpu()
        return ids, found

    def _compute(self, texts: Sequence[str], *, query: bool) -> NDArray[np.float32]:
        if self._embedder is None and self._encoder is None:
            if has_mean_pooling(self.spec):
                self.load()
            else:
                self._embedder = embedders.find(self.spec, device=str(self._device))
        if self._encoder is None:
            assert self._embedder is not None  # noqa: S101 - one of them is loaded
            return self._embedder.encode(texts, query=query)
        found = torch.zeros(len(texts), self._encoder.model.config.hidden_size)
        for indices, states in self._encoder.states(self._encoder.encode(texts)):
            found[indices] = torch.stack([state.float().mean(0) for state in states]).cpu()
        array: NDArray[np.float32] = torch.nn.functional.normalize(found, dim=1).numpy()
        return array

    def load(self) -> LoadedEncoder:
        """Return the BERT encoder; raises as `encoder.load` does."""
        if self._encoder is None:
            self._encoder = encoder.load(source(self.spec), self._device)
        return self._encoder


class Models:
    """The embedding models of a run: each is loaded once, whoever asks for it.

    Args:
        blocks: Where vectors are kept.
        device: Where to compute.
    """

    def __init__(self, blocks: Blocks, device: torch.device) -> None:
        self._blocks = blocks
        self._device = device
        self._found: dict[str, Vectors] = {}

    def find(self, spec: str) -> Vectors:
        """Return an embedding model; it loads when it is first needed."""
        if spec not in self._found:
            self._found[spec] = Vectors(spec, self._blocks, self._device)
        return self._found[spec]


def source(spec: str) -> Source:
    """Say where the files of a model are: in a directory, in a package, or on the hub."""
    place = spec if Path(spec).is_dir() else embedders.place(spec)
    return Directory(Path(place)) if Path(place).is_dir() else Hub(repo=place)


def has_mean_pooling(spec: str) -> bool:
    """Tell whether a model is a BERT encoder whose vectors are the mean of its states."""
    files = source(spec)
    try:
        encoder.read_config(files.file("config.json"))
        pooling = json.loads(files.file("1_Pooling/config.json").read_text(encoding="utf-8"))
        stages = json.loads(files.file("modules.json").read_text(encoding="utf-8"))
    except (CheckpointError, ModelNotFoundError):
        return False
    names = [stage["type"].rpartition(".")[2] for stage in stages]
    return bool(
        pooling.get("pooling_mode_mean_tokens") and names == ["Transformer", "Pooling", "Normalize"]
    )
