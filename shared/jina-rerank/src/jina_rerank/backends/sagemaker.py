"""Scores from an Amazon SageMaker endpoint."""

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from ..errors import APIError, BadRequestError
from ..http.aws import connect, disconnect, invoke
from ..http.clock import Clock
from ..http.retry import RetryPolicy
from ..http.tries import Tries
from ..http.waits import Waits
from ..models import find, is_listwise
from ..progress import progress
from ..settings import Settings
from ..types import Request, Scores
from ..wire import sagemaker, tei
from ..wire.fields import dump
from ..wire.split import split
from ..wire.values import Dialect, RerankRequest, merge, text_of
from .base import Backend

T = TypeVar("T")

DIALECTS: dict[str, Dialect] = {"jina": sagemaker, "tei": tei}

COMFORTABLE = {"jina": sagemaker.BYTES, "tei": 2_000_000}
"""Bytes that a request should not exceed; the second is the default of TEI's `--payload-limit`."""

MAX_CONCURRENCY = 2
"""Requests under way at once, unless the user says otherwise."""

CLOSED = "the connection to SageMaker was closed while it was in use"

OVERHEAD = 256
"""Bytes that a request has besides its query and documents, and to spare."""


def create(settings: Settings) -> "SageMakerBackend":
    """Make the backend; boto3 looks for credentials on first use.

    Raises:
        ValueError: A keyword is one that SageMaker cannot follow.
    """
    settings.check_service()
    return SageMakerBackend(settings)


@dataclass(frozen=True, slots=True)
class Call:
    """A call under way.

    Attributes:
        ends: When the deadline is, by the clock's `monotonic`.
        over: Set when nobody waits for it any longer: threads that work for it then stop.
    """

    ends: float
    over: threading.Event


class SageMakerBackend(Backend):
    """Asks an endpoint through boto3, from a few threads of its own, whoever calls.

    These threads are what bounds the requests under way, over all callers. They wait between
    tries, too, so that an endpoint that is busy is asked less.

    Args:
        settings: Which endpoint, and how to ask it.
        clock: Time and chance; None is the real ones.
    """

    name: ClassVar[str] = "sagemaker"
    remote: ClassVar[bool] = True

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock if clock is not None else Clock()
        self._name = settings.dialect if settings.dialect is not None else "jina"
        self._dialect = DIALECTS[self._name]
        info = find(settings.model)
        self._model = info.name if info is not None else settings.model
        self._whole = is_listwise(settings.model) and settings.split is None
        attempts = settings.attempts
        self._policy = RetryPolicy(attempts=attempts) if attempts is not None else RetryPolicy()
        count = settings.max_concurrency
        self._count = count if count is not None else MAX_CONCURRENCY
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._connecting = threading.Lock()
        self._client: Any = None
        self._waits = Waits(self._clock)
        self._workers = ThreadPoolExecutor(self._count, "jina-rerank-sagemaker")
        # Threads that wait for the workers on behalf of event loops, whose own are for others.
        self._callers = ThreadPoolExecutor(self._count, "jina-rerank-async")

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each text; see `Backend.score`."""
        return self.score_many([(query, documents)])[0]

    def score_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests, as many at once as `max_concurrency` allows."""
        with self._call() as call:
            return self._finish(call, requests)

    async def ascore(self, query: str, documents: Sequence[str]) -> Scores:
        """Score without blocking the event loop."""
        return (await self.ascore_many([(query, documents)]))[0]

    async def ascore_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests without blocking the event loop."""
        with self._call() as call:
            future = asyncio.wrap_future(_submit(self._callers, self._finish, call, requests))
            try:
                return await asyncio.wait_for(future, self._left(call))
            except TimeoutError:
                raise self._tries(call).too_late() from None

    def identity(self) -> str:
        """Name the address, the endpoint and what of it is asked.

        It cannot tell that an endpoint was given another model under the same name.
        """
        chosen = self._settings
        where = (chosen.endpoint_name, chosen.inference_component, chosen.target_variant)
        return f"{self._connected().meta.endpoint_url} {where} {self._name} {self._model}"

    def load(self) -> None:
        """Look for region and credentials; the endpoint is not asked."""
        self._connected()

    def close(self) -> None:
        """Close the connections; calls that are under way end with a `RuntimeError`."""
        self._closed = True
        self._waits.end()
        self._workers.shutdown(wait=False)
        self._callers.shutdown(wait=False)
        if self._client is not None:
            disconnect(self._client)

    def after_fork(self) -> None:
        """Start threads and connections of the child's own."""
        self._start()

    @contextmanager
    def _call(self) -> Iterator[Call]:
        seconds = self._settings.deadline
        ends = self._clock.monotonic() + seconds if seconds is not None else math.inf
        with self._waits.call() as over:
            yield Call(ends, over)

    def _finish(self, call: Call, requests: Sequence[Request]) -> list[Scores]:
        """Send all parts of all requests, wait for them, and put them together."""
        parts = [self._parts(query, documents) for query, documents in requests]
        sent = [[_submit(self._workers, self._ask, call, part) for part in some] for some in parts]
        total = sum(len(documents) for _, documents in requests)
        with progress(total, show=self._settings.show_progress) as advance:
            return [merge([self._wait_for(one, call, advance) for one in some]) for some in sent]

    def _wait_for(
        self, future: Future[Scores], call: Call, advance: Callable[[int], object]
    ) -> Scores:
        try:
            scores = future.result(self._left(call))
        except TimeoutError:
            raise self._tries(call).too_late() from None
        advance(len(scores.values))
        return scores

    def _parts(self, query: str, documents: Sequence[str]) -> list[RerankRequest]:
        """Split a request into some that SageMaker takes."""
        sizes = [len(dump({"text": text})) + 1 for text in documents]
        around = OVERHEAD + len(dump(query))
        if around + max(sizes) > sagemaker.BYTES:
            msg = (
                f"a query and a document are {around + max(sizes):,} bytes together, more than the "
                f"{sagemaker.BYTES:,} that SageMaker takes: shorten the document"
            )
            raise BadRequestError(msg, status=413)
        most = self._settings.max_documents_per_request
        indices = split(
            sizes,
            count=most if most is not None else self._dialect.DOCUMENTS,
            size=COMFORTABLE[self._name] - around,
        )
        if len(indices) > 1 and self._whole:
            msg = (
                f"{self._model} scores documents against each other, and {len(documents)} do not fit "
                f"one request: pass fewer, raise max_documents_per_request, or say split='allow'"
            )
            raise ValueError(msg)
        return [
            RerankRequest(
                query=query,
                documents=tuple(documents[i] for i in part),
                model=self._model,
                truncation=True,
            )
            for part in indices
        ]

    def _ask(self, call: Call, part: RerankRequest) -> Scores:
        """Ask for one part until there is an answer, or no hope of one; in a worker."""
        body = self._dialect.build_request(part)
        tries = self._tries(call)
        while True:
            client = self._connected()
            if call.over.is_set():
                raise RuntimeError(CLOSED)
            _ = tries.left  # raises if there are no seconds left
            try:
                return self._try(client, part, body)
            except APIError as error:
                seconds = tries.after(error)
            self._waits.sleep(seconds, call.over)

    def _try(self, client: Any, part: RerankRequest, body: bytes) -> Scores:
        texts = [part.query, *map(text_of, part.documents)]
        try:
            answer = invoke(client, self._settings, body, texts)
        finally:
            if self._closed:  # a connection that came after `close`
                disconnect(client)
        return self._dialect.read_reply(answer).scores(len(part.documents))

    def _connected(self) -> Any:
        with self._connecting:
            if self._closed:
                raise RuntimeError(CLOSED)
            if self._client is None:
                # A session serves one thread at a time, the client that it makes serves many.
                self._client = connect(self._settings, self._count)
            return self._client

    def _left(self, call: Call) -> float | None:
        left = call.ends - self._clock.monotonic()
        return max(0.0, left) if left < math.inf else None

    def _tries(self, call: Call) -> Tries:
        return Tries(self._policy, self._clock, call.ends)


def _submit(pool: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> Future[T]:
    try:
        return pool.submit(work, *arguments)
    except RuntimeError as error:
        raise RuntimeError(CLOSED) from error
