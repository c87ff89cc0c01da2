"""BM25 as Anserini and BEIR have it: a first stage that needs no model.

Lucene's variant with k1 0.9 and b 0.4: "Resources for Brewing BEIR" (Kamalloo et al. 2024); English
Snowball stems, the stop words of bm25s.
"""

from collections.abc import Sequence

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

K1 = 0.9
B = 0.4


class BM25:
    """Finds the texts that share the most telling words with a query.

    Args:
        texts: The texts; what is found are their places in this list.
        k1: How soon more of one word stops counting.
        b: How much long texts count less; 0 not at all, 1 fully.

    >>> BM25(["Mars is a red planet.", "Bread is baked."]).search("Which planets are red?", 10)
    [(0, 0.7029890418052673)]
    """

    def __init__(self, texts: Sequence[str], *, k1: float = K1, b: float = B) -> None:
        self._stemmer = Stemmer.Stemmer("english")
        self._size = len(texts)
        self._index = bm25s.BM25(method="lucene", k1=k1, b=b)
        words = self._words(texts)
        # Without any word there is nothing to index, and nothing to find.
        self._blank = not any(words)
        if not self._blank:
            self._index.index(words, show_progress=False)

    def scores(self, query: str) -> NDArray[np.float32]:
        """Score every text: (n,) numbers, 0 where no word is shared."""
        words = [] if self._blank else self._words([query])[0]
        known = [word for word in words if word in self._index.vocab_dict] if words else []
        if not known:
            return np.zeros(self._size, dtype=np.float32)
        found: NDArray[np.float32] = self._index.get_scores(known)
        return found

    def search(self, query: str, depth: int) -> list[tuple[int, float]]:
        """Find the best texts that share a word with the query.

        Args:
            query: The query.
            depth: How many at most.

        Returns:
            Their places and scores, best first; ties in the order of the texts.
        """
        scores = self.scores(query)
        return [(int(i), float(scores[i])) for i in best(scores, depth) if scores[i] > 0]

    def _words(self, texts: Sequence[str]) -> list[list[str]]:
        words: list[list[str]] = bm25s.tokenize(
            list(texts),
            stopwords="en",
            stemmer=self._stemmer,
            return_ids=False,
            show_progress=False,
        )
        return words


def best(scores: NDArray[np.float32], depth: int) -> NDArray[np.intp]:
    """Find the places of the highest scores, best first, ties by place; sorts only these.

    >>> best(np.array([1, 3, 2, 3], dtype=np.float32), 3).tolist()
    [1, 3, 2]
    """
    if depth < len(scores):
        floor = np.partition(scores, len(scores) - depth)[len(scores) - depth]
        places = np.flatnonzero(scores >= floor)
    else:
        places = np.arange(len(scores))
    order: NDArray[np.intp] = places[np.argsort(-scores[places], kind="stable")][:depth]
    return order
