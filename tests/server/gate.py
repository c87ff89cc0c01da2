"""A backend that a test holds and lets go, to see what waits for what without sleeping."""

import asyncio
import threading
from collections.abc import Sequence

from jina_rerank import Backend, Scores
from jina_rerank.testing import word_overlap
from jina_rerank.types import Request

PATIENCE = 60.0
"""Seconds after which a test that waits has failed."""


class Gate(Backend):
    """Scores like `FakeBackend`, when it is let.

    Args:
        shut: Wait at each pass until `open` or `stay_open` is called.

    Attributes:
        passes: What each pass was asked.
    """

    def __init__(self, *, shut: bool = False) -> None:
        self.passes: list[Sequence[Request]] = []
        self._entered = threading.Semaphore(0)
        self._leave = threading.Semaphore(0)
        self._shut = shut

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        values = [word_overlap(query, text) for text in documents]
        return Scores(values=values, total_tokens=sum(len(text.split()) for text in documents))

    def score_many(self, requests: Sequence[Request]) -> list[Scores]:
        self.passes.append(requests)
        self._entered.release()
        if self._shut:
            assert self._leave.acquire(timeout=PATIENCE)
        return super().score_many(requests)

    async def entered(self) -> None:
        """Wait until a pass stands at the gate."""
        assert await asyncio.to_thread(self._entered.acquire, timeout=PATIENCE)

    def open(self) -> None:
        """Let one pass through."""
        self._leave.release()

    def stay_open(self) -> None:
        """Let this and all later passes through."""
        self._shut = False
        self._leave.release()
