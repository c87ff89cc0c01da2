"""Scores from a service over HTTP: Jina's API, and every server that speaks a dialect of `wire`."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ..address import HOSTED, Address, Route
from ..http.client import Client, Outgoing
from ..http.clock import Clock
from ..http.connections import GivenConnections, Options, OwnConnections
from ..http.credentials import build_headers, find_key, secrets
from ..http.pace import Pace
from ..http.retry import RetryPolicy
from ..http.routes import ElsewhereError, Routes
from ..http.slots import Slots
from ..models import find, is_listwise
from ..progress import progress
from ..settings import Settings
from ..types import Request, Scores
from ..wire import cohere, jina, tei
from ..wire.failure import read_error
from ..wire.values import Answer, Dialect, RerankRequest, merge
from .base import Backend

DIALECTS: Mapping[str, Dialect] = {"jina": jina, "cohere": cohere, "tei": tei}

TIMEOUT = (5.0, 60.0)
"""Seconds to wait for a connection, and for a read."""

MAX_CONCURRENCY = 2
"""What Jina allows the free tier."""

BYTES_PER_TOKEN = 4
"""For guessing how many tokens a text has, before the service counts them."""


def create(settings: Settings) -> "ApiBackend":
    """Make the backend; it connects on first use.

    Raises:
        ValueError: A keyword is one that no service can follow.
    """
    settings.check_service()
    return ApiBackend(settings)


@dataclass(frozen=True, slots=True)
class Part:
    """What goes into one HTTP request.

    Attributes:
        place: Which request of the call it belongs to.
        query: The query.
        documents: Its documents, or some of them.
    """

    place: int
    query: str
    documents: Sequence[str]


class ApiBackend(Backend):
    """Asks a service, from threads and event loops, never more than `max_concurrency` at once.

    Args:
        settings: The arguments of a `Reranker`.
        clock: Time and chance; None is the real ones.

    Raises:
        AuthenticationError: Jina's API needs a key, and there is none.
        TypeError: `http_client` is no such client.
    """

    name: ClassVar[str] = "api"
    remote: ClassVar[bool] = True

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        headers = settings.headers if settings.headers is not None else {}
        address = Address.of(settings.base_url if settings.base_url is not None else HOSTED)
        key = find_key(settings.api_key, headers, address)
        count = settings.max_concurrency
        self._settings = settings
        self._count = count if count is not None else MAX_CONCURRENCY
        self._clock = clock if clock is not None else Clock()
        self._address = address
        self._model = _model(settings.model, address)
        self._headers = build_headers(key, headers, settings.agent)
        self._secrets = secrets(self._headers)
        self._inherited: list[OwnConnections] = []
        self._start()

    def _start(self) -> None:
        settings = self._settings
        count = self._count
        given = settings.http_client
        self._routes = Routes(self._address.routes(settings.dialect))
        self._own = OwnConnections(_options(settings, self._address, count))
        self._given = GivenConnections(given) if given is not None else None
        attempts = settings.attempts
        self._client = Client(
            connections=self._given if self._given is not None else self._own,
            policy=RetryPolicy(attempts=attempts) if attempts is not None else RetryPolicy(),
            slots=Slots(count),
            pace=Pace(requests=settings.requests_per_minute, tokens=settings.tokens_per_minute),
            timeout=_timeout(settings),
            clock=self._clock,
        )

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each text; see `Backend.score`."""
        return self.score_many([(query, documents)])[0]

    def score_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests, as many at once as `max_concurrency` allows."""
        with self._client.call() as over:
            return self._score_many(requests, over)

    async def ascore(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each text without blocking the event loop."""
        return (await self.ascore_many([(query, documents)]))[0]

    async def ascore_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests without blocking the event loop; as `score_many`."""
        if self._given is not None and not self._given.is_async:
            return await asyncio.to_thread(self.score_many, requests)
        ends, search = self._ends(), self._routes.search()
        while True:
            route = search.current
            parts = self._parts(requests, route)
            try:
                with self._progress(requests) as advance:
                    send = partial(self._asend, route, ends, advance)
                    return _merge(parts, await _aeach(send, parts, self._count))
            except ElsewhereError as elsewhere:
                search.missed(elsewhere)

    def identity(self) -> str:
        """Name the service, the dialect and the model."""
        return f"api {self._address}{self._address.query} {self._settings.dialect} {self._model}"

    def close(self) -> None:
        """Close the connections; calls that are under way end with a `RuntimeError`."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the connections, those of the running event loop at once."""
        await self._client.aclose()

    def after_fork(self) -> None:
        """Start with connections of the child's own."""
        self._own.disown()
        self._inherited.append(self._own)
        self._start()

    def _score_many(self, requests: Sequence[Request], over: threading.Event) -> list[Scores]:
        ends, search = self._ends(), self._routes.search()
        while True:
            route = search.current
            parts = self._parts(requests, route)
            send = partial(self._send, route, ends, over)
            try:
                with self._progress(requests) as advance:
                    answers = []
                    for answer in _each(send, parts, self._count):
                        answers.append(answer)
                        advance(len(answer.values))
                return _merge(parts, answers)
            except ElsewhereError as elsewhere:
                search.missed(elsewhere)

    def _send(self, route: Route, ends: float, over: threading.Event, part: Part) -> Scores:
        request, read = self._outgoing(route, part), self._reader(route, part)
        return self._client.send(request, read, ends, over)

    async def _asend(
        self, route: Route, ends: float, advance: Callable[[int], object], part: Part
    ) -> Scores:
        request, read = self._outgoing(route, part), self._reader(route, part)
        scores = await self._client.asend(request, read, ends)
        advance(len(part.documents))
        return scores

    def _outgoing(self, route: Route, part: Part) -> Outgoing:
        request = RerankRequest(
            query=part.query, documents=tuple(part.documents), model=self._model, truncation=True
        )
        body = DIALECTS[route.dialect].build_request(request)
        tokens = len(body) // BYTES_PER_TOKEN + 1
        return Outgoing(url=route.url, headers=self._headers, body=body, tokens=tokens)

    def _reader(self, route: Route, part: Part) -> Callable[[Answer], Scores]:
        def read(answer: Answer) -> Scores:
            if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
                texts = [part.query, *part.documents]
                now = self._clock.now()
                error = read_error(answer, texts=texts, secrets=self._secrets, now=now)
                raise self._routes.check(route, answer, error)
            scores = DIALECTS[route.dialect].read_reply(answer).scores(len(part.documents))
            self._routes.stay(route)
            return scores

        return read

    def _parts(self, requests: Sequence[Request], route: Route) -> list[Part]:
        limit = self._settings.max_documents_per_request
        limit = limit if limit is not None else DIALECTS[route.dialect].DOCUMENTS
        if is_listwise(self._settings.model) and self._settings.split != "allow":
            longest = max(len(documents) for _, documents in requests)
            if longest > limit:
                msg = (
                    f"{self._model} scores documents against each other, and {longest} do not fit "
                    f"one request of {limit}: pass fewer, raise max_documents_per_request, or "
                    f"say split='allow'"
                )
                raise ValueError(msg)
        return [
            Part(place, query, documents[i : i + limit])
            for place, (query, documents) in enumerate(requests)
            for i in range(0, len(documents), limit)
        ]

    def _progress(
        self, requests: Sequence[Request]
    ) -> AbstractContextManager[Callable[[int], object]]:
        total = sum(len(documents) for _, documents in requests)
        return progress(total, show=self._settings.show_progress)

    def _ends(self) -> float:
        deadline = self._settings.deadline
        return self._clock.monotonic() + (deadline if deadline is not None else float("inf"))


def _options(settings: Settings, address: Address, keep: int) -> Options:
    # A proxy does not reach this machine as this machine does. Without one, plain http needs no
    # certificates, which take a while to load.
    plain = address.is_loopback and address.scheme == "http"
    verify = settings.verify if not plain else False
    return Options(verify=verify, trust_env=not address.is_loopback, keep=keep)


def _model(model: str, address: Address) -> str:
    """Name the model as the service does: an alias in full, and for Jina a repository, too."""
    info = find(model)
    if info is None or (model == info.repo and not address.is_jina):
        return model
    return info.name


def _timeout(settings: Settings) -> tuple[float, float] | None:
    given: Any = settings.timeout
    if given is None:
        return TIMEOUT if settings.http_client is None else None
    connect, read = given if isinstance(given, tuple | list) else (given, given)
    return float(connect), float(read)


def _merge(parts: Sequence[Part], answers: Sequence[Scores]) -> list[Scores]:
    """Put the answers to the parts of each request together, in the order of the documents."""
    merged: dict[int, list[Scores]] = {}
    for part, answer in zip(parts, answers, strict=True):
        merged.setdefault(part.place, []).append(answer)
    return [merge(some) for some in merged.values()]


def _each(work: Callable[[Part], Scores], parts: Sequence[Part], limit: int) -> Iterator[Scores]:
    """Work on all parts, `limit` at once; after the first failure on no more."""
    if len(parts) == 1:  # which needs no other thread
        yield work(parts[0])
        return
    # A pool of the call's own: in one that calls share, they would wait beyond their deadlines.
    pool = ThreadPoolExecutor(min(limit, len(parts)), thread_name_prefix="jina-rerank-api")
    try:
        yield from pool.map(work, parts)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _aeach(
    work: Callable[[Part], Awaitable[Scores]], parts: Sequence[Part], limit: int
) -> list[Scores]:
    """Work on all parts, `limit` at once; after the first failure, or a cancellation, on no more."""
    answers: dict[int, Scores] = {}
    remaining = iter(enumerate(parts))

    async def take() -> None:
        for i, part in remaining:
            answers[i] = await work(part)

    tasks = [asyncio.create_task(take()) for _ in range(min(limit, len(parts)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [answers[i] for i in range(len(parts))]
