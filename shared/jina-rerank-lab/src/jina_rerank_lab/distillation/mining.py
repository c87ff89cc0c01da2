"""Negatives of each query: what BM25 and an embedding model take for answers, and random passages."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..bm25 import BM25, best
from .blocks import Blocks, digest
from .pairs import Pool, rng
from .recipe import MiningPart, described
from .vectors import Vectors

NONE = -1
"""Stands where there is no passage."""

TRIES = 4
"""How many random passages are drawn for each that is wanted: some are the query's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The candidates of every query of a pool.

    Attributes:
        pool: The pool.
        places: (n, K) int32, places in `Pool.passages`: the positive, what was found for the
            query, random passages; `NONE` where there is none.
        hard: The column after the last that was found.
    """

    pool: Pool
    places: NDArray[np.int32]
    hard: int

    def texts(self, row: int) -> list[str]:
        """Return the passages of a query, those that there are, in the order of the columns."""
        return [self.pool.passages[place] for place in self.places[row] if place != NONE]


def identity(pool: Pool) -> str:
    """Return what everything that is computed of a pool depends on."""
    ends = (repr(pool.positives), repr(pool.others), repr(pool.origins))
    return digest(*pool.queries, *pool.passages, *ends)


def mine(pool: Pool, part: MiningPart, seed: int, vectors: Vectors, blocks: Blocks) -> Lists:
    """Find negatives for every query of a pool.

    Args:
        pool: The pool.
        part: How many, and of which ranks.
        seed: What the random ones depend on.
        vectors: Those of the embedding model, which is asked only if it is needed.
        blocks: Where the result is kept.
    """
    given = max(map(len, pool.others), default=0)
    miner = _Miner(pool, part, seed, vectors, given)
    key = ["lists", described(part), str(seed), identity(pool)]
    if _compares(part):
        key.append(vectors.identity)
    places = blocks.rows(f"{pool.name}: negatives", key, len(pool.queries), miner.rows)
    hard = 1 + given + part.bm25 + part.dense
    return Lists(pool=pool, places=places.astype(np.int32, copy=False), hard=hard)


class _Miner:
    def __init__(
        self, pool: Pool, part: MiningPart, seed: int, vectors: Vectors, given: int
    ) -> None:
        self._pool = pool
        self._part = part
        self._seed = seed
        self._vectors = vectors
        self._given = given
        self._origins = np.array(pool.origins)

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """Find the candidates of some queries."""
        cosines = self._cosines(start, stop)
        rows = [self._row(i, cosines[i - start]) for i in range(start, stop)]
        return np.array(rows, dtype=np.int32)

    @cached_property
    def _index(self) -> BM25:
        return BM25(self._pool.passages)

    def _cosines(self, start: int, stop: int) -> Sequence[NDArray[np.float32] | None]:
        if not _compares(self._part):
            return [None] * (stop - start)
        passages = self._vectors.of(self._pool.passages)
        queries = self._vectors.of(self._pool.queries, query=True)
        return list(queries[start:stop] @ passages.T)

    def _row(self, i: int, cosine: NDArray[np.float32] | None) -> list[int]:
        pool, part = self._pool, self._part
        chance = rng(self._seed, "mine", i)
        positive = pool.positives[i]
        own = [place for place in (positive, *pool.others[i]) if place != NONE]
        allowed = ~np.isin(self._origins, self._origins[own])
        if cosine is not None and part.false_negatives is not None and positive != NONE:
            allowed &= cosine < part.false_negatives * cosine[positive]
        found = _filled([*pool.others[i]], self._given)
        for wanted, scores in ((part.bm25, None), (part.dense, cosine)):
            if wanted:
                scored = self._index.scores(pool.queries[i]) if scores is None else scores
                drawn = self._draw(scored, allowed, wanted, chance)
                allowed[drawn] = False
                found += _filled(drawn, wanted)
        drawn = chance.integers(len(allowed), size=TRIES * part.random).tolist()
        random = list(dict.fromkeys(place for place in drawn if allowed[place]))[: part.random]
        return [positive, *found, *_filled(random, part.random)]

    def _draw(
        self,
        scores: NDArray[np.float32],
        allowed: NDArray[np.bool_],
        wanted: int,
        chance: np.random.Generator,
    ) -> list[int]:
        """Draw some of the passages with the ranks that the recipe wants, best first."""
        ranked = best(np.where(allowed, scores, -np.inf).astype(np.float32), self._part.last)
        there = [int(place) for place in ranked if allowed[place]][self._part.first :]
        chosen = chance.permutation(len(there))[:wanted]
        return [there[place] for place in sorted(chosen.tolist())]


def _compares(part: MiningPart) -> bool:
    """Tell whether the embedding model is needed."""
    return part.dense > 0 or part.false_negatives is not None


def _filled(places: list[int], size: int) -> list[int]:
    return [*places, *[NONE] * (size - len(places))]
