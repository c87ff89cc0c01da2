"""Texts to what the student reads: pairs of bounded length, laid end to end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from jina_rerank.jina_bert.batching import Group, groups
from jina_rerank.jina_bert.fit import truncate
from jina_rerank.jina_bert.tokenizer import Pair, PairTokenizer


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of a forward pass, sorted by length.

    Attributes:
        ids: (T,) token ids.
        types: (T,) token types.
        groups: The lengths.
        order: Which of the given pairs each input is.
    """

    ids: Tensor
    types: Tensor
    groups: Sequence[Group]
    order: Tensor

    def restore(self, values: Tensor) -> Tensor:
        """Bring one value per input, (N,), into the order of the given pairs."""
        return values.new_empty(len(values)).index_copy(0, self.order.to(values.device), values)


class Inputs:
    """Makes the student's inputs.

    Args:
        tokenizer: The student's tokenizer.json.
    """

    def __init__(self, tokenizer: Path) -> None:
        self.tokenizer = PairTokenizer(tokenizer)

    def pairs(
        self, query: str, passages: Sequence[str], max_tokens: int, *, multiple: int = 1
    ) -> list[Pair]:
        """Pair a query with passages, the longer side cut so that both fit `max_tokens`.

        Args:
            query: The query.
            passages: The passages.
            max_tokens: Tokens of an input, special tokens included.
            multiple: Cut passages further, to inputs whose length is a multiple of it, where that
                takes less than half of them.
        """
        template = self.tokenizer.template
        room = max_tokens - template.overhead
        (asked,), found = self.tokenizer.encode([query]), self.tokenizer.encode(passages)
        made = []
        for ids in found:
            keep, rest = truncate(len(asked), len(ids), room)
            odd = (keep + rest + template.overhead) % multiple
            rest -= odd if odd < rest // 2 else 0
            made.append(template.fill(asked[:keep], ids[:rest]))
        return made


def batch(pairs: Sequence[Pair], device: torch.device) -> Batch:
    """Lay pairs end to end."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].ids))
    chosen = [pairs[i] for i in order]
    return Batch(
        ids=torch.tensor([token for pair in chosen for token in pair.ids], device=device),
        types=torch.tensor([kind for pair in chosen for kind in pair.types], device=device),
        groups=groups([len(pair.ids) for pair in chosen]),
        order=torch.tensor(order),
    )
