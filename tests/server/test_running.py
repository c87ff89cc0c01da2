"""Starting, loading, stopping: in this process, and in one of its own that gets signals."""

import json
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from jina_rerank_server.access import Access
from jina_rerank_server.app import Server
from jina_rerank_server.bodies import Bodies
from jina_rerank_server.metrics import Metrics
from jina_rerank_server.rerank import Limits
from jina_rerank_server.running import Runner, bind, run
from jina_rerank_server.served import Model, Served

from jina_rerank import JinaRerankError, Reranker
from jina_rerank.testing import FakeBackend

from ..core.program import spawn
from .application import DOCUMENTS, QUERY, batcher


class Loading(FakeBackend):
    """A backend that loads when it is let, or fails to."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.failure = failure

    def load(self) -> None:
        self.begun.set()
        self.go_on.wait(60)
        if self.failure is not None:
            raise self.failure


def server_of(backend: Loading) -> Server:
    metrics = Metrics()
    return Server(
        served=Served([Model.of(batcher(backend, metrics), "turbo")]),
        access=Access(),
        bodies=Bodies(largest=10_000, patience=60.0),
        limits=Limits(documents=100, deadline=60.0),
        metrics=metrics,
    )


@contextmanager
def beside(work: object) -> Iterator[None]:
    """Do something in a thread meanwhile."""
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    try:
        yield
    finally:
        thread.join()


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_server_and_leaves_the_handlers_as_they_were(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    backend, listener = Loading(), bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    codes: list[int] = []

    def work() -> None:
        with httpx2.Client(base_url=url) as client:
            codes.append(client.get("/ping").status_code)
            backend.go_on.set()
            while client.get("/ping").status_code != 200:
                pass
        os.kill(os.getpid(), kind)

    with beside(work):
        run(server_of(backend), listener)
    assert codes == [503]
    assert signal.getsignal(kind) == before


def test_stop_while_a_model_loads_does_not_wait_for_it() -> None:
    backend, listener = Loading(), bind("127.0.0.1", 0)

    def work() -> None:
        backend.begun.wait(60)
        stop()

    with beside(work):
        run(server_of(backend), listener)
    assert not backend.go_on.is_set()
    backend.go_on.set()


def test_model_that_cannot_be_loaded_ends_the_server() -> None:
    backend = Loading(JinaRerankError("there is no such model"))
    backend.go_on.set()
    with pytest.raises(JinaRerankError, match="no such model"):
        run(server_of(backend), bind("127.0.0.1", 0))


def test_port_that_is_taken_is_named_with_the_option_for_another() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        said = rf"cannot listen on 127\.0\.0\.1:{port}: .*in use; --port takes"
        with pytest.raises(OSError, match=said):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "said"),
    [("192.0.2.1", r"192\.0\.2\.1:0"), ("2001:db8::1", r"\[2001:db8::1\]:0"), ("a b", "a b:0")],
)
def test_address_of_another_machine_is_named_with_its_option(host: str, said: str) -> None:
    with pytest.raises(OSError, match=rf"cannot listen on {said}: .*; --host takes"):
        bind(host, 0)


def test_greeting_comes_once_a_signal_can_stop_the_server() -> None:
    backend, stops = Loading(), []

    def greet() -> None:
        stops.append(signal.getsignal(signal.SIGTERM))
        stop()

    before = signal.getsignal(signal.SIGTERM)
    run(server_of(backend), bind("127.0.0.1", 0), greet=greet)
    backend.go_on.set()
    assert len(stops) == 1
    assert stops[0] != before


def test_server_beside_other_work_leaves_signals_alone_and_greets() -> None:
    before, said = signal.getsignal(signal.SIGTERM), []
    runner = Runner(server_of(Loading()), lambda: said.append(signal.getsignal(signal.SIGTERM)))

    def work() -> None:
        with runner.capture_signals():
            pass

    with beside(work):
        pass
    assert said == [before]


def test_start_that_fails_says_nothing_of_what_is_under_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "jina_rerank_server")
    backend = Loading(JinaRerankError("there is no such model"))
    backend.go_on.set()
    with pytest.raises(JinaRerankError):
        run(server_of(backend), bind("127.0.0.1", 0))
    assert caplog.messages == []


def test_address_of_version_6_is_listened_on() -> None:
    with bind("::1", 0) as listener:
        assert listener.family == socket.AF_INET6


@pytest.fixture
def process(mini: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """The program in a process of its own, as a container starts it on SageMaker."""
    environment = {
        **os.environ,
        "SM_MODEL_DIR": str(mini),
        "SAGEMAKER_BIND_TO_PORT": "0",
        "JINA_RERANK_DTYPE": "float32",
        "OMP_NUM_THREADS": "1",
    }
    with spawn("serve", stderr=subprocess.PIPE, env=environment) as started:
        try:
            yield started
        finally:
            started.kill()


def test_kill_under_load_loses_no_request_and_exits_0(
    process: "subprocess.Popen[bytes]", mini: Path
) -> None:
    assert process.stderr is not None
    lines = iter(process.stderr.readline, b"")
    greeting = json.loads(next(lines))["message"]
    url = greeting.partition("listening on ")[2].split()[0]
    assert httpx2.get(f"{url}/ping").status_code == 503
    expected = Reranker(str(mini), dtype="float32").rank(QUERY, DOCUMENTS)
    assert "ready" in json.loads(next(lines))["message"]

    answers: list[httpx2.Response] = []
    under_way = threading.Event()

    def ask() -> None:
        """Ask until the server is gone; only a refused connection says that it is."""
        with httpx2.Client(base_url=url, timeout=60) as client:
            while True:
                try:
                    body = {"query": QUERY, "documents": DOCUMENTS}
                    answers.append(client.post("/v1/rerank", json=body))
                except httpx2.ConnectError:
                    return
                under_way.set()

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask) for _ in range(8)]
        logged = pool.submit(lambda: b"".join(lines))
        under_way.wait(60)
        process.send_signal(signal.SIGTERM)
        for each in asking:
            each.result()
    assert process.wait(60) == 0
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        results = answer.json()["results"]
        assert [result["index"] for result in results] == [item.index for item in expected]
        assert [result["relevance_score"] for result in results] == pytest.approx(
            [item.score for item in expected], abs=1e-6
        )
    log = logged.result().decode()
    assert log.count('"request"') == len(answers)
    assert "dog" not in log
