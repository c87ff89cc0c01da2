"""Dynamic batching: requests that are there at the same time share forward passes."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from jina_rerank import MODELS, Ranking, Reranker, Scores

from .metrics import Metrics
from .pace import Pace
from .turns import Piece, Queue, Work


class QueueFullError(Exception):
    """As many documents wait as may wait.

    Attributes:
        retry_after: Seconds until those that wait now are scored, as fast as the last ones were.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full; try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class UnavailableError(Exception):
    """The model is not loaded yet, or the server takes no more requests before it stops."""


class Batcher:
    """One model, one queue, one worker thread.

    The event loop only puts requests into the queue and takes scores out. Everything else, from
    tokens to scores, happens in the thread, which asks the engine for one pass at a time: pieces of
    as many requests as fit.

    Args:
        reranker: The engine, with no limit on what it returns; closed by `close`. Its own
            `batch_tokens`, which bounds the memory, should be the same as the batcher's.
        name: The name that clients use, such as `turbo`.
        batch_tokens: About how many tokens make a pass.
        batch_wait: Seconds that the first request of a pass waits for others; 0 for none, but
            whatever waits already goes together.
        queue_size: Documents that may wait; a longer request is taken only while none wait.
        metrics: Where passes and the queue are counted.
        clock: Seconds that only grow.

    Raises:
        ValueError: The engine has `top_n`, `score_threshold` or `on_error="keep-order"`.
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
            msg = "a reranker to serve has no top_n, no score_threshold and on_error='raise'"
            raise ValueError(msg)
        self.name = name
        self.model_id = next(
            (info.name for info in MODELS if reranker.model in {info.alias, info.name, info.repo}),
            reranker.model,
        )
        self._reranker = reranker
        self._batch_tokens = batch_tokens
        self._batch_wait = batch_wait
        self._queue_size = queue_size
        self._metrics = metrics
        self._clock = clock
        self._pace = Pace()
        self._queue = Queue()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ready = False
        self._stopping = False
        metrics.ready.labels(name).set(0)
        metrics.queue.labels(name).set(0)

    @property
    def ready(self) -> bool:
        """True while requests are taken: the model is loaded, and the server is not stopping."""
        return self._ready and not self._stopping

    async def start(self) -> None:
        """Start the thread and load the model.

        Raises:
            JinaRerankError: The model could not be loaded.
        """
        loop = asyncio.get_running_loop()
        loaded: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(loaded,), name=f"jina-rerank-{self.name}", daemon=True
        )
        self._thread.start()
        await loaded

    async def score(
        self, query: str, documents: Sequence[str], *, truncation: bool | None = None
    ) -> Scores:
        """Score each text, as `Reranker.score` does, in passes that others share.

        A cancelled call takes what is left of it out of the queue.

        Args:
            query: What is searched for; not blank.
            documents: Texts; blank ones score 0.0.
            truncation: False refuses what the model would read only in part; None and True cut it.

        Returns:
            One score per text, in the order of the texts.

        Raises:
            ValueError: The query is blank, or a text is not valid Unicode, or too long for
                `truncation=False`.
            QueueFullError: Too many documents wait.
            UnavailableError: The model is not loaded, or the server is stopping.
            JinaRerankError: The model could not score them.
        """
        if not query.strip():
            msg = "query must not be blank"
            raise ValueError(msg)
        if not documents:
            return Scores(values=[])
        work = Work(
            query=query,
            documents=documents,
            strict=truncation is False,
            arrived=self._clock(),
            future=asyncio.get_running_loop().create_future(),
        )
        with self._changed:
            self._admit(work)
        try:
            await work.future
        except asyncio.CancelledError:
            self._cancel(work)
            raise
        return Scores(values=work.values, total_tokens=work.tokens, model=work.model)

    async def drain(self) -> None:
        """Take no more requests, and finish all that were taken."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def close(self) -> None:
        """Stop after the pass under way, refuse what still waits, and free the model."""
        with self._changed:
            self._stopping = True
            for work in self._queue.clear():
                self._finish(work, UnavailableError("the server is stopping"))
        await self.drain()
        self._metrics.ready.labels(self.name).set(0)
        await self._reranker.aclose()

    def _admit(self, work: Work) -> None:
        """Put a request into the queue, or raise; the lock is held."""
        if not self.ready:
            raise UnavailableError(
                "the server is stopping" if self._stopping else "the model is not loaded yet"
            )
        waiting = self._queue.documents
        if waiting and waiting + len(work.documents) > self._queue_size:
            self._metrics.rejected.labels(self.name).inc()
            raise QueueFullError(self._pace.seconds(waiting))
        self._queue.put(work)
        self._count_queue()
        self._changed.notify()

    def _cancel(self, work: Work) -> None:
        """Forget a request whose caller left."""
        with self._changed:
            work.over = True
            self._queue.discard(work)
            self._count_queue()
        self._metrics.cancelled.labels(self.name).inc()

    def _run(self, loaded: asyncio.Future[None]) -> None:
        """Load the model, then score passes until there is nothing left to do."""
        try:
            self._reranker.load()
        except BaseException as error:  # noqa: BLE001 - raised again where `start` is awaited
            _resolve(loaded, error)
            return
        self._ready = True
        self._metrics.ready.labels(self.name).set(1)
        _resolve(loaded)
        while pieces := self._next():
            self._score(pieces)

    def _next(self) -> list[Piece]:
        """Wait for the pieces of the next pass; none when the server has stopped."""
        with self._changed:
            while not self._queue and not self._stopping:
                self._changed.wait()
            budget = self._batch_tokens / self._pace.tokens_per_character
            while self._queue and self._queue.size < budget and not self._stopping:
                left = self._queue.since + self._batch_wait - self._clock()
                if left <= 0:
                    break
                self._changed.wait(left)
            pieces = self._queue.take(budget, budget / 2)
            self._count_queue()
            return pieces

    def _score(self, pieces: list[Piece]) -> None:
        """Score a pass; on a failure, find whose it is by scoring the halves."""
        started = self._clock()
        try:
            rankings = self._reranker.rank_many([(p.work.query, p.texts) for p in pieces])
        except Exception as error:  # noqa: BLE001 - raised again where `score` is awaited
            if len(pieces) > 1:
                half = len(pieces) // 2
                self._score(pieces[:half])
                self._score(pieces[half:])
            else:
                self._fail(pieces[0].work, error)
            return
        self._learn(pieces, rankings, self._clock() - started)
        for piece, ranking in zip(pieces, rankings, strict=True):
            self._deliver(piece, ranking)

    def _deliver(self, piece: Piece, ranking: Ranking[str]) -> None:
        """Put the scores where they belong; with the last ones, wake the caller."""
        work = piece.work
        for item in ranking:
            work.values[piece.start + item.index] = item.score or 0.0
        work.tokens += ranking.usage.total_tokens
        work.model = ranking.model
        work.missing -= len(ranking)
        if not work.missing:
            self._finish(work)

    def _fail(self, work: Work, error: BaseException) -> None:
        """Give a request its error, and forget the rest of it."""
        with self._changed:
            self._queue.discard(work)
            self._count_queue()
        self._finish(work, error)

    def _finish(self, work: Work, error: BaseException | None = None) -> None:
        work.over = True
        _resolve(work.future, error)

    def _learn(self, pieces: list[Piece], rankings: list[Ranking[str]], seconds: float) -> None:
        documents = sum(len(ranking) for ranking in rankings)
        tokens = sum(ranking.usage.total_tokens for ranking in rankings)
        characters = sum(piece.size for piece in pieces)
        self._pace.learn(documents=documents, characters=characters, tokens=tokens, seconds=seconds)
        metrics, name = self._metrics, self.name
        metrics.documents.labels(name).inc(documents)
        metrics.tokens.labels(name).inc(tokens)
        metrics.batch_documents.labels(name).observe(documents)
        metrics.batch_requests.labels(name).observe(len({id(piece.work) for piece in pieces}))
        metrics.batch_tokens.labels(name).observe(tokens)
        metrics.batch_seconds.labels(name).observe(seconds)

    def _count_queue(self) -> None:
        self._metrics.queue.labels(self.name).set(self._queue.documents)


def _resolve(future: asyncio.Future[None], error: BaseException | None = None) -> None:
    """Wake who waits for a future, from another thread."""

    def resolve() -> None:
        if future.done():  # cancelled meanwhile
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    with suppress(RuntimeError):  # the event loop is closed: nobody waits
        future.get_loop().call_soon_threadsafe(resolve)
