"""Keep test collections out of training data.

A pair goes if its query is a test query, or if a quarter of its passage is in test documents: of
its runs of 13 words, the measure of "Language Models are Few-Shot Learners" (Brown et al. 2020,
appendix C).
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
        runs = [np.zeros(0, np.uint64)]
        for collection in collections:
            self._queries |= {normal(query) for query in collection.queries.values()}
            runs += [_runs(passage.full) for passage in collection.corpus.values()]
        self._runs = np.unique(np.concatenate(runs))

    def refuses(self, example: Example) -> bool:
        """Tell whether an example has to go."""
        passages = (() if example.positive is None else (example.positive,)) + example.others
        return normal(example.query) in self._queries or any(map(self._known, passages))

    def _known(self, passage: str) -> bool:
        runs = _runs(passage)
        places = np.searchsorted(self._runs, runs)
        found = (
            self._runs[np.minimum(places, len(self._runs) - 1)] == runs if len(self._runs) else 0
        )
        return bool(np.mean(found) >= SHARE) if len(runs) else False


def normal(text: str) -> str:
    """Return the words of a text: the same for texts that differ in letter case and signs alone."""
    return " ".join(WORD.findall(text.lower()))


def _runs(text: str) -> NDArray[np.uint64]:
    """Hash every run of words; a shorter text is one run."""
    words = WORD.findall(text.lower())
    if not words:
        return np.zeros(0, np.uint64)
    hashes = np.array([zlib.crc32(w.encode()) * 2654435761 + len(w) for w in words], np.uint64)
    size = min(RUN, len(words))
    runs = np.zeros(len(words) - size + 1, np.uint64)
    for i in range(size):
        runs = runs * FACTOR + hashes[i : len(words) - size + 1 + i]
    return runs
