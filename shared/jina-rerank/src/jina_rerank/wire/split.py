"""Cut a list of documents into requests that are small enough."""

from collections.abc import Sequence


def split(sizes: Sequence[int], *, count: int, size: int) -> list[range]:
    """Choose which documents go into which request: as few requests as their order allows.

    Args:
        sizes: The size of each document.
        count: How many documents a request may have.
        size: How much they may add up to; a larger one is alone in its request.

    Returns:
        The indices of each request's documents.

    >>> split([3, 3, 3, 9], count=3, size=6)
    [range(0, 2), range(2, 3), range(3, 4)]
    """
    parts, first, total = [], 0, 0
    for i, one in enumerate(sizes):
        if i > first and (i - first == count or total + one > size):
            parts.append(range(first, i))
            first, total = i, 0
        total += one
    return [*parts, range(first, len(sizes))]
