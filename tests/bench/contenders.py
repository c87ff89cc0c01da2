"""Who runs in the benchmark. The first is the reference that the others are compared with.

A new peer is one function that opens a checkpoint and one line in `CONTENDERS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from jina_rerank import Reranker

from . import reference
from .workloads import Workload

CONTEXT = 8192  # tokens; the longest pair that is read without a cut


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
    """One line of the comparison.

    `start` opens and loads a checkpoint directory. `memory` says how many bytes a call may take
    above the model, so that a machine with less skips the workload instead of dying on it. A
    workload with a pair of more than `patience` tokens is run once, not in every round.
    """

    name: str
    start: Callable[[Path], Scorer]
    memory: Callable[[Workload], int] = nothing
    patience: int = CONTEXT


class Reference:
    """The reference forward behind the same tokenizer as the engine's.

    Args:
        directory: With ``config.json``, ``model.safetensors`` and ``tokenizer.json``.
        dtype: Of the weights and of the computation.
    """

    def __init__(self, directory: Path, *, dtype: torch.dtype = torch.float32) -> None:
        self.config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        self.state = reference.cast(load_file(directory / "model.safetensors"), dtype)
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.enable_truncation(CONTEXT)  # longest first, as the default is

    def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """Return the sigmoid of each document's logit."""
        pairs = [(query, document) for document in documents]
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(pairs)]
        return torch.sigmoid(reference.logits(self.state, self.config, ids)).tolist()

    def close(self) -> None:
        """Free the weights."""
        self.state = {}


def reference_memory(workload: Workload) -> int:
    """Estimate the peak: four float32 matrices (B, H, L, L) of scores, with 12 heads, and a tenth.

    That is 14 GB for 8,192 tokens; measured are 13 GB.
    """
    size, longest = min(reference.BATCH_SIZE, len(workload.lengths)), max(workload.lengths)
    return int(1.1 * 4 * 4 * size * 12 * longest**2)


def engine(directory: Path, *, dtype: str) -> Reranker:
    """Load our engine."""
    reranker = Reranker(str(directory), dtype=dtype, max_length=CONTEXT)
    reranker.load()
    return reranker


CONTENDERS = (
    Contender(
        name="reference float32", start=Reference, memory=reference_memory, patience=CONTEXT // 2
    ),
    Contender(name="engine float32", start=partial(engine, dtype="float32")),
    Contender(name="engine auto", start=partial(engine, dtype="auto")),
)
