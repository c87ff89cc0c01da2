"""Which inputs share a forward pass. Nothing is padded: inputs of one length form a group."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Group:
    """Inputs of one length that stand next to each other in a batch.

    Attributes:
        count: Number of inputs.
        length: Tokens of each.
    """

    count: int
    length: int

    @property
    def tokens(self) -> int:
        """Tokens of the group."""
        return self.count * self.length


def batches(lengths: Sequence[int], budget: int, *, padded: bool = False) -> Iterator[list[int]]:
    """Split inputs into batches of at most `budget` tokens, similar lengths together.

    Args:
        lengths: Tokens of each input.
        budget: Tokens of a batch; a longer input is a batch of its own.
        padded: Count each input as long as the longest of its batch.

    Yields:
        Indices into `lengths`, shortest input first; each index exactly once.

    >>> list(batches([5, 2, 9, 2], budget=8))
    [[1, 3], [0], [2]]
    >>> list(batches([2, 3, 1], budget=6, padded=True))
    [[2, 0], [1]]
    """
    batch: list[int] = []
    tokens = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        grown = lengths[index] * (len(batch) + 1) if padded else tokens + lengths[index]
        if batch and grown > budget:
            yield batch
            batch, grown = [], lengths[index]
        batch.append(index)
        tokens = grown
    if batch:
        yield batch


def groups(lengths: Sequence[int]) -> list[Group]:
    """Describe a batch whose inputs are sorted by length.

    >>> groups([2, 2, 5])
    [Group(count=2, length=2), Group(count=1, length=5)]
    """
    return [Group(len(list(same)), length) for length, same in groupby(lengths)]
