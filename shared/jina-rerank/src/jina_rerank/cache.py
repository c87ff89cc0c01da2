"""Scores kept between calls: what is remembered of a request, and what is left to ask."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Protocol

from .backends.base import Backend
from .jobs import Job
from .types import Scores


class ScoreCache(Protocol):
    """What `cache=` takes: a store of one's own, shared by threads, perhaps by machines.

    A key is a hexadecimal SHA-256 of everything that the score depends on; no text is in it.

    >>> from jina_rerank import Reranker
    >>> from jina_rerank.testing import FakeBackend
    >>> class Store(dict):
    ...     def set(self, key, value):
    ...         self[key] = value
    >>> store = Store()
    >>> Reranker(backend=FakeBackend(), cache=store).score("red planet", ["a red planet"])
    [1.0]
    >>> list(store.values())
    [1.0]
    """

    def get(self, key: str, /) -> Any:
        """Return the score under the key, as a number or its text; None if there is none."""

    def set(self, key: str, value: float, /) -> Any:
        """Keep a score."""


class LeastRecentlyUsed:
    """Scores in memory, at most so many: the one that was not used for longest makes room.

    Args:
        size: How many scores to keep, at about 200 bytes each.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._scores: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> float | None:
        """Return the score under the key; None if there is none."""
        with self._lock:
            if key in self._scores:
                self._scores.move_to_end(key)
            return self._scores.get(key)

    def set(self, key: str, value: float) -> None:
        """Keep a score."""
        with self._lock:
            self._scores[key] = value
            self._scores.move_to_end(key)
            if len(self._scores) > self._size:
                self._scores.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Recalled:
    """A request and what the cache knows of it.

    Attributes:
        job: The request.
        keys: The key of each different text.
        known: The scores that were found, by text.
        rest: The same request with the texts that have to be asked, each once.
    """

    job: Job[Any]
    keys: dict[str, str]
    known: dict[str, float]
    rest: Job[Any]

    @classmethod
    def of(cls, job: Job[Any], cache: ScoreCache, identity: str) -> "Recalled":
        """Look up every text of a request; `identity` is the backend's."""
        prefix = sha256(f"{len(identity)} {len(job.query)} {identity}{job.query}".encode())
        keys = {}
        for text in dict.fromkeys(job.texts):
            key = prefix.copy()
            key.update(text.encode())
            keys[text] = key.hexdigest()
        found = {text: cache.get(key) for text, key in keys.items()}
        known = {text: float(value) for text, value in found.items() if value is not None}
        known = {text: value for text, value in known.items() if not math.isnan(value)}
        places = dict(zip(reversed(job.texts), reversed(job.places), strict=True))
        asked = [text for text in keys if text not in known]
        rest = replace(job, texts=asked, places=[places[text] for text in asked])
        return cls(job, keys, known, rest)

    def complete(self, answer: Scores, cache: ScoreCache) -> Scores:
        """Keep the answer to the rest, and put it together with what was known."""
        fresh = dict(zip(self.rest.texts, answer.values, strict=True))
        for text, value in fresh.items():
            cache.set(self.keys[text], value)
        scores = self.known | fresh
        return replace(answer, values=[scores[text] for text in self.job.texts])


def recall(jobs: Sequence[Job[Any]], cache: ScoreCache, backend: Backend) -> list[Recalled]:
    """Look up several requests.

    Raises:
        ValueError: The cache may be shared, and the backend does not say what its scores depend on.
    """
    identity = backend.identity()
    if not identity and not isinstance(cache, LeastRecentlyUsed):
        msg = (
            f"backend {backend.name!r} does not say what its scores depend on, which a cache that "
            f"others may share needs: override Backend.identity, or give cache a number"
        )
        raise ValueError(msg)
    return [Recalled.of(job, cache, identity) for job in jobs]


def complete(
    recalled: Sequence[Recalled], answers: Sequence[Scores], cache: ScoreCache
) -> list[Scores]:
    """Keep the answers to what was left to ask, and return one for each whole request."""
    pairs = zip(recalled, answers, strict=True)
    return [item.complete(answer, cache) for item, answer in pairs]
