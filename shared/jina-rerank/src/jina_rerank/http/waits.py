"""Waits that end early: with the call that waits, when the client is closed, at a deadline."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

from .clock import Clock

T = TypeVar("T")


class Waits:
    """The waits between tries, of threads and of tasks.

    Args:
        clock: What waits.

    >>> waits = Waits(Clock())
    >>> with waits.call() as over:
    ...     waits.end()
    ...     waits.sleep(60, over)  # returns at once
    ...     over.is_set()
    True
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: set[threading.Event] = set()
        self._naps: set[asyncio.Future[object]] = set()
        self._ended = False
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[threading.Event]:
        """Make the event of a call, which is set as soon as nobody waits for it any longer."""
        over = threading.Event()
        with self._lock:
            self._calls.add(over)
        try:
            yield over
        finally:
            over.set()
            with self._lock:
                self._calls.discard(over)

    def sleep(self, seconds: float, over: threading.Event) -> None:
        """Wait in a thread, until the call is over at the latest."""
        if seconds > 0:
            self._clock.wait(over, seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait in an event loop, until the end at the latest; cancelling the task ends it, too."""
        nap: asyncio.Future[object] = asyncio.ensure_future(self._clock.asleep(seconds))
        with self._lock:
            self._naps.add(nap)
            ended = self._ended
        try:
            if not ended:
                await asyncio.wait([nap])
        finally:
            nap.cancel()
            with self._lock:
                self._naps.discard(nap)

    def end(self) -> None:
        """End all waits, now and from now on."""
        with self._lock:
            self._ended = True
            calls, naps = list(self._calls), list(self._naps)
        for over in calls:
            over.set()
        for nap in naps:
            with suppress(RuntimeError):  # its loop was closed without cleaning up
                nap.get_loop().call_soon_threadsafe(nap.cancel)


def within(seconds: float | None, work: Callable[[], T]) -> T:
    """Return what `work` does, if it is done in time; None is any time.

    The timeout of a read starts anew with each byte, so it takes a thread to stop waiting for one
    who sends few. That thread goes on until the connection ends.

    Raises:
        TimeoutError: It takes longer.
    """
    if seconds is None:
        return work()
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(run,), name="jina-rerank-deadline", daemon=True
    ).start()
    return done.result(seconds)
