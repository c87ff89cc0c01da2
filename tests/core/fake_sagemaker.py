"""SageMaker's runtime on loopback: ``POST /endpoints/{name}/invocations``, and ways to misbehave.

It scores with `word_overlap`, in the Marketplace dialect or in that of TEI. Errors are what a test
puts into `faults`, each for one request.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from jina_rerank.testing import word_overlap
from jina_rerank.wire import sagemaker
from jina_rerank.wire.values import Answer, Dialect, RerankReply, RerankRequest, Result, text_of

PATIENCE = 60.0
"""Seconds after which a test that waits for a client gives up."""


def aws_error(status: int, code: str, message: str = "said", **more: Any) -> Answer:
    """Make an error as SageMaker answers it."""
    headers = {"content-type": "application/json", "x-amzn-errortype": code}
    body = json.dumps({"Message": message, **more}).encode()
    return Answer(status, body, headers | {"x-amzn-requestid": "req-1"})


def model_error(status: int, message: str = "", **more: Any) -> Answer:
    """Make an error of the container, as SageMaker wraps it."""
    return aws_error(424, "ModelError", OriginalStatusCode=status, OriginalMessage=message, **more)


@dataclass(frozen=True)
class Hold:
    """A request that is not answered until the test sets the event."""

    event: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Cut:
    """A connection that ends after so many bytes of the body."""

    after: int


Fault = Answer | Hold | Cut | None
"""None is none."""


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeSageMaker:
    """The fake.

    Attributes:
        dialect: What its containers speak.
        faults: What happens to the next requests; those after them succeed.
        seen: Every request so far.
        most: How many were under way at once.
    """

    dialect: Dialect = sagemaker
    faults: deque[Fault] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)
    most: int = 0
    url: str = ""
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._connections = self._now = 0

    @contextmanager
    def serving(self) -> Iterator["FakeSageMaker"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def is_left_alone(self) -> bool:
        """Wait until no connection is open; False if one stays."""
        with self._changed:
            return self._changed.wait_for(lambda: self._connections == 0, PATIENCE)

    @contextmanager
    def connected(self) -> Iterator[None]:
        with self._changed:
            self._connections += 1
        try:
            yield
        finally:
            with self._changed:
                self._connections -= 1
                self._changed.notify_all()

    def fail(self, *faults: Fault) -> "FakeSageMaker":
        self.faults.extend(faults)
        return self

    def requests(self) -> list[RerankRequest]:
        return [self.dialect.read_request(seen.body) for seen in self.seen]

    @contextmanager
    def underway(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.arrived.release()
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1

    def answer(self, body: bytes) -> Answer:
        request = self.dialect.read_request(body)
        texts = [text_of(document) for document in request.documents]
        ranked = sorted(
            (
                Result(index=i, score=word_overlap(request.query, text))
                for i, text in enumerate(texts)
            ),
            key=lambda result: (-result.score, result.index),
        )
        words = sum(len(text.split()) for text in [request.query, *texts])
        reply = RerankReply(results=tuple(ranked), total_tokens=words)
        return self.dialect.build_reply(reply)


def _handler(fake: FakeSageMaker) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with fake.underway():
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                fake.seen.append(Seen(unquote(self.path), headers, body))
                fault = fake.faults.popleft() if fake.faults else None
                if isinstance(fault, Hold):
                    fault.event.wait(PATIENCE)
                answer = fault if isinstance(fault, Answer) else fake.answer(body)
                cut = fault.after if isinstance(fault, Cut) else None
                self.send_response(answer.status)
                for name, value in {"x-amzn-requestid": "req-1", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body[:cut])
                self.close_connection = self.close_connection or cut is not None

        def log_message(self, *args: object) -> None:
            """Keep the tests' output clean."""

        def handle(self) -> None:
            with fake.connected(), suppress(ConnectionError):  # the client went away
                super().handle()

    return Handler
