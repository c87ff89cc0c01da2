"""Who runs in the benchmark: ways to score strings with a checkpoint.

A new peer is one function that opens a checkpoint and one line in `CONTENDERS`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

import jina_rerank.backends.local  # noqa: F401 - what loading takes is then the model's alone
from jina_rerank import Reranker

from . import reference
from .checkpoints import CONFIG, TOKENIZER, WEIGHTS
from .workloads import Workload

CONTEXT = 8192  # tokens; the longest pair that is read without a cut
PEER = "sentence_transformers"
PEER_BATCH_SIZE = 32  # its default
CACHED_SCORES = 10_000


class Scorer(Protocol):
    """A loaded model: from strings to scores in [0, 1]."""

    def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """Return one score per document, in input order."""

    def close(self) -> None:
        """Free the model."""


def nothing(_: Workload) -> int:
    """Ask for no memory in particular."""
    return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """A way to score.

    `start` opens and loads a checkpoint directory. `memory` says how many bytes a call may take
    above the model, so that a machine with less skips the workload instead of dying on it. A
    workload with a pair of more than `patience` tokens is run once, not in every round. `library`
    is the module that has to be installed for it.
    """

    name: str
    start: Callable[[Path], Scorer]
    memory: Callable[[Workload], int] = nothing
    patience: int = CONTEXT
    library: str | None = None


class Reference:
    """The reference forward behind the same tokenizer as the engine's.

    Args:
        directory: The checkpoint.
        dtype: Of the weights and of the computation.
    """

    def __init__(self, directory: Path, *, dtype: torch.dtype = torch.float32) -> None:
        self.config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        self.state = reference.cast(load_file(directory / WEIGHTS), dtype)
        self.tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
        self.tokenizer.enable_truncation(CONTEXT)  # longest first, as the default is

    def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """Return the sigmoid of each document's logit."""
        pairs = [(query, document) for document in documents]
        encodings = self.tokenizer.encode_batch(pairs)
        ids = [encoding.ids for encoding in encodings]
        types = [encoding.type_ids for encoding in encodings]
        return torch.sigmoid(reference.logits(self.state, self.config, ids, types)).tolist()

    def close(self) -> None:
        """Free the weights."""
        self.state = {}


def reference_memory(workload: Workload) -> int:
    """Estimate the peak: four float32 matrices (B, H, L, L) of scores, with 12 heads, and a tenth.

    That is 14 GB for 8,192 tokens; measured are 13 GB.
    """
    size, longest = min(reference.BATCH_SIZE, len(workload.lengths)), max(workload.lengths)
    return int(1.1 * 4 * 4 * size * 12 * longest**2)


class SentenceTransformers:
    """The peer: its ``CrossEncoder`` in float32, on the CPU, with its own default batch size."""

    def __init__(self, directory: Path) -> None:
        self.model = importlib.import_module(PEER).CrossEncoder(
            str(directory),
            device="cpu",
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )

    def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """Return the sigmoid of each document's logit."""
        scores: list[float] = self.model.predict(
            [(query, document) for document in documents],
            batch_size=PEER_BATCH_SIZE,
            activation_fn=torch.nn.Sigmoid(),
            show_progress_bar=False,
        ).tolist()
        return scores

    def close(self) -> None:
        """Free the model."""
        self.model = None


def engine(directory: Path, *, dtype: str, cache: int | None = None) -> Reranker:
    """Load our engine."""
    reranker = Reranker(str(directory), dtype=dtype, cache=cache, device="cpu")
    reranker.load()
    return reranker


REFERENCE = Contender(
    name="reference float32", start=Reference, memory=reference_memory, patience=CONTEXT // 2
)
FLOAT32 = Contender(name="engine float32", start=partial(engine, dtype="float32"))
AUTO = Contender(name="engine auto", start=partial(engine, dtype="auto"))
CACHED = Contender(
    name="engine auto, cache", start=partial(engine, dtype="auto", cache=CACHED_SCORES)
)
CROSS_ENCODER = Contender(name="CrossEncoder float32", start=SentenceTransformers, library=PEER)

CONTENDERS = (REFERENCE, FLOAT32, AUTO, CACHED, CROSS_ENCODER)
