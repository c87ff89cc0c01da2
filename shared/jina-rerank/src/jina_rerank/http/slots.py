"""How many requests are under way at once, counted over threads and event loops together."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager


class Slots:
    """A semaphore for threads and tasks at once; who came first is first.

    Args:
        count: How many there are.

    >>> slots = Slots(2)
    >>> with slots.take(patience=None):
    ...     "at most one other is here"
    'at most one other is here'
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def take(self, patience: float | None) -> Iterator[None]:
        """Hold a slot, in a thread.

        Args:
            patience: Seconds to wait for it; None waits for good.

        Raises:
            TimeoutError: None came free in time.
        """
        claim = self._claim()
        try:
            claim.result(patience)
        except BaseException:
            self._abandon(claim)
            raise
        try:
            yield
        finally:
            self._release()

    @asynccontextmanager
    async def atake(self, patience: float | None) -> AsyncIterator[None]:
        """Hold a slot, in an event loop; as `take`."""
        claim = self._claim()
        try:
            async with asyncio.timeout(patience):
                await asyncio.wrap_future(claim)
        except BaseException:
            self._abandon(claim)
            raise
        try:
            yield
        finally:
            self._release()

    def _claim(self) -> Future[None]:
        claim: Future[None] = Future()
        with self._lock:
            if self._free == 0:
                self._waiting.append(claim)
                return claim
            self._free -= 1
        claim.set_result(None)
        return claim

    def _release(self) -> None:
        with self._lock:
            heir = None
            while self._waiting and heir is None:
                heir = self._waiting.popleft()
                if not heir.set_running_or_notify_cancel():  # who waited has gone
                    heir = None
            if heir is None:
                self._free += 1
        if heir is not None:
            heir.set_result(None)

    def _abandon(self, claim: "Future[None]") -> None:
        """Stop waiting; a slot that came in the same moment goes on to the next."""
        if not claim.cancel():
            self._release()
