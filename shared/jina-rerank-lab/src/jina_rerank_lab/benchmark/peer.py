"""What every peer that pads does alike: pairs from strings, batches by length, a sigmoid."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from jina_rerank.types import Request

from .checkpoints import TOKENIZER
from .workloads import pairs

CONTEXT = 8192
"""Tokens of the longest pair that is read without a cut."""

Ids: TypeAlias = NDArray[np.int64]


class PaddedPeer(ABC):
    """Scores pairs in padded batches; a subclass runs one of them.

    Args:
        directory: The checkpoint.
        batch: Pairs that are padded together.
        by_length: Sort pairs by length first, so that little is padded.
    """

    def __init__(self, directory: Path, *, batch: int, by_length: bool = True) -> None:
        self.batch = batch
        self.by_length = by_length
        self.tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
        self.tokenizer.enable_truncation(CONTEXT)  # longest first, as the default is

    @abstractmethod
    def logits(self, ids: Ids, mask: Ids, types: Ids) -> NDArray[np.float32]:
        """Run a padded batch: three arrays (B, L) to (B,) logits."""

    def score(self, requests: Sequence[Request]) -> list[float]:
        """Return the sigmoid of each document's logit."""
        return self.forward(self.encode(requests))

    def encode(self, requests: Sequence[Request]) -> list[Encoding]:
        """Return the tokens of each pair."""
        return self.tokenizer.encode_batch(list(pairs(requests)))

    def forward(self, encoded: Sequence[Encoding]) -> list[float]:
        """Return the sigmoid of each pair's logit."""
        order = list(range(len(encoded)))
        if self.by_length:
            order.sort(key=lambda at: len(encoded[at].ids))
        found = np.empty(len(encoded), np.float64)
        for start in range(0, len(order), self.batch):
            places = order[start : start + self.batch]
            found[places] = self.logits(*padded([encoded[at] for at in places]))
        scores: list[float] = (1 / (1 + np.exp(-found))).tolist()
        return scores

    def close(self) -> None:  # noqa: B027 - nothing to do for most
        """Free the model."""


def padded(encodings: Sequence[Encoding]) -> tuple[Ids, Ids, Ids]:
    """Pad on the right to the longest: ids, mask and types, each (B, L)."""
    longest = max(len(one.ids) for one in encodings)
    ids, mask, types = (np.zeros((len(encodings), longest), np.int64) for _ in range(3))
    for row, one in enumerate(encodings):
        length = len(one.ids)
        ids[row, :length], mask[row, :length], types[row, :length] = one.ids, 1, one.type_ids
    return ids, mask, types
