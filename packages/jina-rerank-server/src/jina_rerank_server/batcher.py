"""Dynamic batching: requests that are there at the same time share forward passes."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence

from jina_rerank import Reranker, Scores

from .logs import LOGGER
from .metrics import Metrics
from .passes import Passes
from .turns import Turns
from .wake import wake
from .work import Piece, Work

logger = logging.getLogger(LOGGER)

FAILED = "the model's thread has failed: start the server again"


class QueueFullError(Exception):
    """As many documents wait as may wait.

    Attributes:
        retry_after: Seconds until those that wait are scored, as fast as the last ones were; at
            least 1.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full; try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class UnavailableError(Exception):
    """The model is not loaded yet, its thread has failed, or the server is stopping."""


class Batcher:
    """One model, one queue, one worker thread.

    An event loop only puts requests into the queue and takes scores out. Everything between, from
    text to scores, happens in the thread, which asks the engine for one pass at a time: pieces of
    as many requests as fit, in the order they came. A request longer than a pass makes way for the
    others after each.

    Args:
        reranker: The engine; closed by `close`. Its `batch_tokens` bounds the memory of a pass and
            should be the batcher's, which is met only about: before it is read, text is measured
            in characters.
        name: The name that clients use, such as `turbo`.
        batch_tokens: About how many tokens make a pass.
        batch_wait: Seconds that the first request of a pass waits for others; with 0, too, all that
            wait already go together.
        queue_size: Documents that may wait; a longer request is taken only while none wait.
        metrics: Where passes and the queue are counted.
        clock: Seconds that only grow.

    Attributes:
        name: The name that clients use.
        failed: True once the thread has ended by a mistake of ours: only a new start helps.

    Raises:
        ValueError: The engine has `top_n`, `score_threshold` or `on_error="keep-order"`, with which
            scores would be missing.
    """

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        reranker: Reranker,
        *,
        name: str,
        batch_tokens: int,
        batch_wait: float,
        queue_size: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        settings = reranker.settings
        if (settings.top_n, settings.score_threshold, settings.on_error) != (None, None, "raise"):
            msg = "a reranker to serve takes no top_n, no score_threshold and no on_error"
            raise ValueError(msg)
        self.name = name
        self._reranker = reranker
        self._batch_tokens = batch_tokens
        self._batch_wait = batch_wait
        self._queue_size = queue_size
        self._metrics = metrics
        self._clock = clock
        self._passes = Passes(reranker, name=name, metrics=metrics, clock=clock)
        self._turns = Turns()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._loaded = False
        self._stopping = False
        self.failed = False
        metrics.ready.labels(name).set(0)
        metrics.queue.labels(name).set(0)

    @property
    def ready(self) -> bool:
        """True while requests are taken: the model is loaded, its thread lives, nothing stops."""
        return self._loaded and not self.failed and not self._stopping

    async def start(self) -> None:
        """Start the thread, and wait until it has loaded the model.

        Raises:
            JinaRerankError: The model could not be loaded.
        """
        loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._thread = threading.Thread(
            target=self._run, args=(loaded,), name=f"jina-rerank-{self.name}", daemon=True
        )
        self._thread.start()
        await loaded

    async def score(
        self, query: str, documents: Sequence[str], *, truncation: bool | None = None
    ) -> Scores:
        """Score each text as `Reranker.score` does, in passes that others share.

        Cancelling the call takes what is left of it out of the queue.

        Args:
            query: What is searched for; not blank.
            documents: Texts; blank ones score 0.0.
            truncation: False refuses what the model would read only in part; None and True cut it.

        Returns:
            One score per text, in the order of the texts, and the tokens read.

        Raises:
            TypeError: The query or a document is no string.
            ValueError: The query is blank, or a text is not valid Unicode.
            TooLongError: The model would read a text only in part, and `truncation` is False.
            QueueFullError: Too many documents wait.
            UnavailableError: The model is not loaded, its thread failed, or the server is stopping.
            JinaRerankError: The model could not score them.
        """
        work = Work(
            query=query,
            documents=tuple(documents),
            strict=truncation is False,
            arrived=self._clock(),
            future=asyncio.get_running_loop().create_future(),
        )
        with self._changed:
            self._check_open()
            if work.complete:  # no documents
                return work.scores
            self._put(work)
        try:
            await work.future
        except asyncio.CancelledError:
            work.over = True
            self._discard(work)
            self._metrics.cancelled.labels(self.name).inc()
            raise
        return work.scores

    async def drain(self) -> None:
        """Take no more requests, and finish all that were taken."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def close(self) -> None:
        """Finish the pass under way, refuse what still waits, and free the model."""
        with self._changed:
            self._stopping = True
            left = self._clear()
        for work in left:
            work.finish(UnavailableError("the server is stopping"))
        await self.drain()
        self._metrics.ready.labels(self.name).set(0)
        await self._reranker.aclose()

    def _check_open(self) -> None:
        if not self.ready:
            what = "the server is stopping" if self._stopping else "the model is not loaded yet"
            raise UnavailableError(FAILED if self.failed else what)

    def _put(self, work: Work) -> None:
        """Put a request into the queue, if it fits; the lock is held."""
        waiting = self._turns.documents
        if waiting and waiting + len(work.documents) > self._queue_size:
            self._metrics.rejected.labels(self.name).inc()
            raise QueueFullError(self._passes.pace.seconds(waiting))
        self._turns.put(work)
        self._show()
        self._changed.notify()

    def _fail(self, piece: Piece, error: Exception) -> None:
        """Give a request its error, and do no more for it."""
        self._discard(piece.work)
        piece.work.finish(error)

    def _clear(self) -> list[Work]:
        """Empty the queue, and return what waited; the lock is held."""
        left = self._turns.clear()
        self._show()
        return left

    def _discard(self, work: Work) -> None:
        with self._changed:
            self._turns.discard(work)
            self._show()

    def _run(self, loaded: asyncio.Future[None]) -> None:
        """Load the model, then score pass after pass: what the thread does."""
        try:
            self._reranker.load()
        except Exception as error:  # noqa: BLE001 - raised again where `start` is awaited
            wake(loaded, error)
            return
        self._loaded = True
        self._metrics.ready.labels(self.name).set(1)
        wake(loaded)
        self._work()

    def _work(self) -> None:
        """Score pass after pass; should the thread end otherwise, nobody waits for it."""
        pieces: list[Piece] = []
        try:
            while pieces := self._next():
                self._passes.score(pieces, self._fail)
        except BaseException:  # whatever it is, the thread ends
            logger.exception("%s: %s", self.name, FAILED)
            with self._changed:
                self.failed = True
                left = self._clear()
            self._metrics.ready.labels(self.name).set(0)
            for work in [*(piece.work for piece in pieces), *left]:
                work.finish(UnavailableError(FAILED))

    def _next(self) -> list[Piece]:
        """Wait for the pieces of the next pass; none if the server is stopping and none are left."""
        with self._changed:
            while self._turns or not self._stopping:
                budget = self._batch_tokens / self._passes.pace.tokens_per_character
                left = self._wait(budget)
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                pieces = self._turns.take(budget, turn=budget)
                self._show()
                now = self._clock()
                for piece in pieces:
                    if piece.start == 0:
                        waited = now - piece.work.arrived
                        self._metrics.wait_seconds.labels(self.name).observe(waited)
                return pieces
        return []

    def _wait(self, budget: float) -> float | None:
        """Say for how many seconds the next pass waits for more; None while nothing is there."""
        if not self._turns:
            return None
        if self._stopping or self._turns.size >= budget:
            return 0.0
        return self._turns.since + self._batch_wait - self._clock()

    def _show(self) -> None:
        self._metrics.queue.labels(self.name).set(self._turns.documents)
