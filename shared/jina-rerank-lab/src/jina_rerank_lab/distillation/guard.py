"""Keep test collections out of training data.

A pair goes if its query is a test query, or if a quarter of its passage is in test documents: of
its runs of 13 words, the measure of "Language Models are Few-Shot Learners" (Brown et al. 2020,
appendix C). A shorter passage goes if it is whole in a test document.
"""

import re
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..collections import Collection
from .pairs import Example

RUN = 13
"""Words of a run."""

FEW = 5
"""Words below which a passage is in documents by chance: it goes if it is all of one."""

SHARE = 0.25
"""The share of a passage's runs that may not be in test documents."""

WORD = re.compile(r"\w+")
FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Guard:
    """Tells which examples share something with test collections.

    Args:
        collections: The collections.

    >>> from jina_rerank_lab.collections import Passage
    >>> test = Collection(name="test", corpus={"d": Passage("", "Mars is red.")},
    ...     queries={"q": "Which planet is red?"}, qrels={"q": {"d": 1}})
    >>> guard = Guard([test])
    >>> guard.refuses(Example("which planet is red", "Some say Mars."))
    True
    >>> guard.refuses(Example("Who bakes bread?", "Bakers."))
    False
    """

    def __init__(self, collections: Iterable[Collection]) -> None:
        self._queries: set[str] = set()
        self._documents: list[NDArray[np.uint64]] = []
        for collection in collections:
            self._queries |= {normal(query) for query in collection.queries.values()}
            self._documents += [_hashes(passage.full) for passage in collection.corpus.values()]
        self._found: dict[int, NDArray[np.uint64]] = {}

    def refuses(self, example: Example) -> bool:
        """Tell whether an example has to go."""
        passages = (() if example.positive is None else (example.positive,)) + example.others
        return normal(example.query) in self._queries or any(map(self._known, passages))

    def _known(self, passage: str) -> bool:
        words = _hashes(passage)
        if not len(words):
            return False
        size = min(RUN, len(words))
        if size not in self._found:
            self._found[size] = self._of(size)
        found, runs = self._found[size], _runs(words, size)
        if not len(found):
            return False
        places = np.searchsorted(found, runs).clip(max=len(found) - 1)
        return bool(np.mean(found[places] == runs) >= SHARE)

    def _of(self, size: int) -> NDArray[np.uint64]:
        """Return the runs of some words in all documents, each once."""
        most = size if size < FEW else max(map(len, self._documents), default=0)
        runs = [_runs(words, size) for words in self._documents if size <= len(words) <= most]
        return np.unique(np.concatenate([np.zeros(0, np.uint64), *runs]))


def normal(text: str) -> str:
    """Return the words of a text: the same for texts that differ in letter case and signs alone."""
    return " ".join(WORD.findall(text.lower()))


def _hashes(text: str) -> NDArray[np.uint64]:
    """Hash every word."""
    words = WORD.findall(text.lower())
    return np.array([zlib.crc32(w.encode()) * 2654435761 + len(w) for w in words], np.uint64)


def _runs(words: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """Hash every run of some words."""
    runs = np.zeros(len(words) - size + 1, np.uint64)
    for i in range(size):
        runs = runs * FACTOR + words[i : len(words) - size + 1 + i]
    return runs
