"""A rerank service on loopback, and ways for it to misbehave."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias

from ..wire.values import Answer
from .overlap import word_overlap
from .services import KINDS, Kind, Service

PATIENCE = 60.0
"""Seconds after which a server that says nothing goes on, should nobody end it."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Reset the connection: before any answer, or after some bytes of its body."""

    after: int | None = None


@dataclass(frozen=True, slots=True)
class Stall:
    """Fall silent until the server stops: before any answer, or after some bytes of its body."""

    after: int | None = None


Fault: TypeAlias = Drop | Stall | Answer
"""What a request may get instead of its answer; an `Answer` is sent as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request that the server received.

    Attributes:
        path: The path and query.
        headers: Header fields, names in lower case.
        body: The bytes.
    """

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class FakeServer:
    """A rerank service on loopback, which answers as its vendor's own does, without a model.

    Args:
        kind: ``"jina"``, ``"cohere"``, ``"tei"``, ``"vllm"``, ``"infinity"`` or ``"llama.cpp"``;
            ``"sagemaker"`` and ``"sagemaker-tei"`` are an endpoint named my-reranker, which boto3
            asks if the variable AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME is the server's `url`.
        scorer: The score of a query and a text; the default is `word_overlap`.
        model: The model that it serves; None is any.
        key: The key that it wants; None is none.
        faults: What the next requests get instead of an answer, one each, None being their own
            answer; when there are no more, all get their own.
        tls: A context with a certificate, to answer over TLS.

    >>> from jina_rerank import Reranker
    >>> with FakeServer("jina", faults=[Drop(), None]) as server:
    ...     with Reranker("turbo", base_url=server.url) as reranker:
    ...         reranker.rank("red planet", ["blue sea", "a red planet"], top_n=1)[0].index
    1
    """

    def __init__(  # noqa: PLR0913 - what a test may want, each by its name
        self,
        kind: str = "jina",
        *,
        scorer: Callable[[str, str], float] = word_overlap,
        model: str | None = None,
        key: str | None = None,
        faults: Iterable[Fault | None] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        service = Service(scorer=scorer, model=model, key=key)
        self._http = _Http(KINDS[kind], service, iter(faults))
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """The root, as `base_url` takes it."""
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}"

    @property
    def requests(self) -> list[Received]:
        """Every request so far, in order."""
        return self._http.requests

    @property
    def busiest(self) -> int:
        """The most requests that were under way at once."""
        return self._http.busiest

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._http.arrived:
            come = self._http.arrived.wait_for(lambda: len(self.requests) >= count, PATIENCE)
        assert come, f"{count} requests were expected, {len(self.requests)} came"

    def stop(self) -> None:
        """Stop, and reset every connection; twice is fine."""
        if self._http.stopping.is_set():
            return
        self._http.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._http.reset_all()

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()


class _Http(ThreadingHTTPServer):
    """The sockets and threads of a `FakeServer`, and what it remembers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, kind: Kind, service: Service, faults: Iterator[Fault | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.requests: list[Received] = []
        self.busiest = 0
        self.stopping = threading.Event()
        self.arrived = threading.Condition()
        self._kind, self._service, self._faults = kind, service, faults
        self._under_way = 0
        self._open: set[socket.socket] = set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client may go whenever it likes."""

    def reset_all(self) -> None:
        """Reset every connection."""
        with self.arrived:
            connections = list(self._open)
        for connection in connections:
            _reset(connection)

    def receive(self, received: Received) -> tuple[Answer, Fault | None]:
        """Return the answer to a request, and how to misbehave instead, if at all."""
        with self.arrived:
            self.requests.append(received)
            fault = next(self._faults, None)
            self.arrived.notify_all()
        return self._answer(received), fault

    def _answer(self, received: Received) -> Answer:
        kind, key = self._kind, self._service.key
        if received.path.partition("?")[0] not in kind.paths:
            return kind.fail(404, "Invalid endpoint", None)
        sent = received.headers.get("authorization")
        if key is not None and sent is None:
            return kind.fail(401, "Authentication required.", "AUTH_MISSING_API_KEY")
        if key is not None and sent != f"Bearer {key}":
            return kind.fail(401, "Invalid API key.", "AUTH_INVALID_API_KEY")
        return kind.reply(self._service, received.body)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as under way."""
        with self.arrived:
            self._under_way += 1
            self.busiest = max(self.busiest, self._under_way)
        try:
            yield
        finally:
            with self.arrived:
                self._under_way -= 1

    @contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        """Count a connection as open."""
        with self.arrived:
            self._open.add(connection)
        try:
            yield
        finally:
            with self.arrived:
                self._open.discard(connection)


class _Connection(BaseHTTPRequestHandler):
    """One connection of a `FakeServer`."""

    server: _Http
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Answer requests until the client goes."""
        with self.server.connected(self.connection):
            super().handle()

    def do_POST(self) -> None:
        """Answer one, or misbehave."""
        with self.server.counted():
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(path=self.path, headers=headers, body=body)
            answer, fault = self.server.receive(received)
            if isinstance(fault, Answer):
                answer, fault = fault, None
            # In one piece: two would wait for each other's acknowledgement.
            head, body = self._head(answer), answer.body
            if fault is None:
                self.wfile.write(head + body)
                return
            if fault.after is not None:
                self.wfile.write(head + body[: fault.after])
            if isinstance(fault, Stall):
                self.server.stopping.wait(PATIENCE)
            self.close_connection = True
            _reset(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""

    def _head(self, answer: Answer) -> bytes:
        fields = {"content-length": str(len(answer.body))} | dict(answer.headers)
        lines = [f"HTTP/1.1 {answer.status} -", *(f"{name}: {fields[name]}" for name in fields)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _reset(connection: socket.socket) -> None:
    """Close a connection so that the other side sees a reset."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
