"""What teachers think of candidates: a matrix of scores for each, and their sum."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from jina_rerank import Reranker
from jina_rerank.hub import locate
from jina_rerank.settings import Settings

from ..bm25 import BM25
from ..embedders import SERVICE
from ..rerankers import COSINE, find
from .blocks import Blocks
from .content import content
from .mining import NONE, Lists, identity
from .recipe import TeacherPart
from .vectors import Models, Vectors

LEXICAL = "bm25"
LATE = "maxsim:"
EDGE = 1e-6
"""How near to 0 and 1 the scores of a reranker come before they become logits."""

Scores = NDArray[np.float32]


class Teacher(Protocol):
    """Scores the candidates of some queries."""

    def rows(self, start: int, stop: int) -> Scores:
        """Return the scores of the queries from `start` to before `stop`; NaN for no passage."""


def scores(lists: Lists, parts: Sequence[TeacherPart], models: Models, blocks: Blocks) -> Scores:
    """Have all teachers score the candidates of a pool, and add that up.

    Args:
        lists: The candidates.
        parts: The teachers.
        models: The embedding models.
        blocks: Where the scores of each are kept.

    Returns:
        (n, K), NaN where there is no passage.

    Raises:
        JinaRerankError: A teacher fails; what it did before is kept.
    """
    whole = np.zeros(lists.places.shape, np.float32)
    for part in parts:
        teacher = make(part.spec, lists, models)
        key = [
            "scores",
            part.spec,
            _model(part.spec, models),
            identity(lists.pool),
            repr(lists.places.tolist()),
        ]
        what = f"{lists.pool.name}: {part.spec}"
        found = blocks.rows(what, key, len(lists.places), teacher.rows, size=256)
        fit = _standard(found) if part.scale is None else part.scale * (found - part.shift)
        whole += part.weight * fit
    return whole


def make(spec: str, lists: Lists, models: Models) -> Teacher:
    """Make a teacher; models load when they are needed."""
    if spec == LEXICAL:
        return _Lexical(lists)
    if spec.startswith(COSINE):
        return _Cosine(lists, models.find(spec.removeprefix(COSINE)))
    if spec.startswith(LATE):
        return _Late(lists, models.find(spec.removeprefix(LATE)))
    return _Reranker(lists, find(spec), sigmoid=not spec.startswith(SERVICE))


def _model(spec: str, models: Models) -> str:
    """Return what the scores of a teacher depend on besides its name."""
    if spec == LEXICAL or spec.startswith(SERVICE):
        return ""
    for kind in (COSINE, LATE):
        if spec.startswith(kind):
            return models.find(spec.removeprefix(kind)).identity
    return content(locate(Settings(model=spec)))


class _Lexical:
    def __init__(self, lists: Lists) -> None:
        self._lists = lists

    def rows(self, start: int, stop: int) -> Scores:
        places = self._lists.places[start:stop]
        queries = self._lists.pool.queries[start:stop]
        found = [self._index.scores(q)[p] for q, p in zip(queries, places, strict=True)]
        return _masked(np.array(found), places)

    @cached_property
    def _index(self) -> BM25:
        return BM25(self._lists.pool.passages)


class _Cosine:
    def __init__(self, lists: Lists, vectors: Vectors) -> None:
        self._lists = lists
        self._vectors = vectors

    def rows(self, start: int, stop: int) -> Scores:
        places = self._lists.places[start:stop]
        passages = self._vectors.of(self._lists.pool.passages)[places]
        queries = self._vectors.of(self._lists.pool.queries, query=True)[start:stop]
        return _masked(np.einsum("nkd,nd->nk", passages, queries), places)


class _Late:
    """Late interaction: the best cosine for each token of the query, rare tokens counting more.

    After "ColBERT" (Khattab, Zaharia 2020, section 3.3), with the encoder's own token vectors.
    """

    def __init__(self, lists: Lists, vectors: Vectors) -> None:
        self._lists = lists
        self._vectors = vectors
        self._passages: list[torch.Tensor] = []
        self._rarity: dict[int, float] = {}

    def rows(self, start: int, stop: int) -> Scores:
        pool = self._lists.pool
        if not self._passages:
            ids, states = self._vectors.tokens(pool.passages)
            self._passages = [state[1:-1] for state in states]
            counts = Counter(token for passage in ids for token in set(passage))
            self._rarity = {t: float(np.log(1 + len(ids) / n) ** 0.5) for t, n in counts.items()}
        ids, queries = self._vectors.tokens(pool.queries[start:stop])
        places = self._lists.places[start:stop]
        rows = [self._row(*one) for one in zip(ids, queries, places, strict=True)]
        return np.array(rows, np.float32)

    def _row(self, ids: list[int], query: torch.Tensor, places: NDArray[np.int32]) -> list[float]:
        unseen = float(np.log(1 + len(self._passages)) ** 0.5)
        weights = torch.tensor([self._rarity.get(token, unseen) for token in ids[1:-1]])
        weights /= weights.sum()
        there = [self._passages[place] for place in places if place != NONE]
        if not there or not len(weights):
            return [float("nan") if place == NONE else 0.0 for place in places]
        cosines = (query[1:-1] @ torch.cat(there).T).float().split([len(p) for p in there], 1)
        found = iter([float(weights @ part.amax(1)) for part in cosines])
        return [float("nan") if place == NONE else next(found) for place in places]


class _Reranker:
    """Any reranker; where its scores are sigmoids, their logits, which tell the best ones apart."""

    def __init__(self, lists: Lists, reranker: Reranker, *, sigmoid: bool) -> None:
        self._lists = lists
        self._reranker = reranker
        self._sigmoid = sigmoid

    def rows(self, start: int, stop: int) -> Scores:
        places = self._lists.places[start:stop]
        found = np.full(places.shape, np.nan, np.float32)
        for i in range(stop - start):
            texts = self._lists.texts(start + i)
            found[i, places[i] != NONE] = self._reranker.score(
                self._lists.pool.queries[start + i], texts
            )
        if not self._sigmoid:
            return found
        sure = found.clip(EDGE, 1 - EDGE)
        logits: Scores = np.log(sure / (1 - sure))
        return logits


def _masked(found: NDArray[np.floating], places: NDArray[np.int32]) -> Scores:
    return np.where(places == NONE, np.nan, found).astype(np.float32)


def _standard(found: Scores) -> Scores:
    """Bring each list to mean 0 and deviation 1."""
    mean = np.nanmean(found, axis=1, keepdims=True)
    deviation = np.nanstd(found, axis=1, keepdims=True)
    standard: Scores = (found - mean) / np.maximum(deviation, EDGE)
    return standard
