"""`backend="api"` when things go wrong, when many call at once, and when it all ends."""

import asyncio
import gc
import logging
import os
import random
import ssl
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from itertools import repeat
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest
import trustme

from jina_rerank import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APITimeoutError,
    RateLimitError,
    Reranker,
    ServerError,
)
from jina_rerank.backends.api import ApiBackend
from jina_rerank.http import client
from jina_rerank.http.clock import Clock
from jina_rerank.http.connections import OwnConnections
from jina_rerank.http.waits import Waits
from jina_rerank.settings import Settings
from jina_rerank.testing import Drop, FakeServer, Stall
from jina_rerank.testing.server import PATIENCE, Fault
from jina_rerank.wire import jina
from jina_rerank.wire.values import Answer

from .service_cases import DOCUMENTS, QUERY, Ask, Ticks, ask_async, ask_sync, make

KEY = "jina_0123456789abcdef0123456789abcdef"
PRIVATE = ["a private question", "a private document"]
LATER = Answer(503, b"later", {"retry-after": "30"})
BUSY = Answer(503, b"<html>busy</html>", {"content-type": "text/html"})

both = pytest.mark.parametrize("ask", [ask_sync, ask_async], ids=["sync", "async"])


def sockets(server: FakeServer) -> int:
    """Count this process's connections to a server."""
    port = urlsplit(server.url).port
    found = psutil.Process().net_connections("tcp")
    return sum(1 for one in found if one.raddr and one.raddr.port == port)


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@both
def test_refused_connection_is_tried_three_times(ask: Ask, ticks: Ticks) -> None:
    with FakeServer() as server:
        pass
    with make(server.url, ticks) as reranker, pytest.raises(APIConnectionError) as caught:
        ask(reranker, QUERY, DOCUMENTS)
    assert str(caught.value).startswith("no connection: ")
    assert caught.value.attempts == ("APIConnectionError",) * 3
    assert ticks.slept == [0.5, 1.0]


@both
@pytest.mark.parametrize(
    "fault",
    [Drop(), Drop(10), BUSY, Answer(502, b"<html>"), Answer(524, b""), Answer(408, b"{}")],
    ids=repr,
)
def test_fault_that_passes_costs_a_try(ask: Ask, ticks: Ticks, fault: Fault) -> None:
    with FakeServer(faults=[fault, fault, None]) as server, make(server.url, ticks) as reranker:
        assert ask(reranker, "red planet", ["blue sea", "a red planet"])[0].index == 1
    assert ticks.slept == [0.5, 1.0]


@both
@pytest.mark.parametrize("fault", [Stall(), Stall(10)], ids=repr)
def test_silence_is_a_timeout_that_is_tried_again(ask: Ask, ticks: Ticks, fault: Fault) -> None:
    with (
        FakeServer(faults=[fault, None, fault, fault]) as server,
        make(server.url, ticks, timeout=(5, 0.05), attempts=2) as reranker,
    ):
        assert len(ask(reranker, QUERY, DOCUMENTS)) == 3
        with pytest.raises(APITimeoutError, match="no answer within the timeout; raise timeout"):
            ask(reranker, QUERY, DOCUMENTS)
    assert ticks.slept == [0.5, 0.5]


@both
def test_storm_of_429_ends_with_the_last_error_and_all_tries(ask: Ask, ticks: Ticks) -> None:
    with (
        FakeServer(faults=repeat(jina.build_error(429, "Slow down."))) as server,
        make(server.url, ticks, attempts=5) as reranker,
    ):
        with pytest.raises(RateLimitError, match="tried 5 times") as caught:
            ask(reranker, QUERY, DOCUMENTS)
        assert len(server.requests) == 5
    assert caught.value.attempts == ("HTTP 429",) * 5
    assert ticks.slept == [0.5, 1.0, 2.0, 4.0]


@both
def test_storm_of_429_with_headers_waits_as_told(ask: Ask, ticks: Ticks) -> None:
    slow = Answer(429, b"{}", {"retry-after": "7"})
    slower = Answer(429, b"{}", {"retry-after-ms": "1500"})
    with FakeServer(faults=[slow, slower]) as server, make(server.url, ticks) as reranker:
        assert len(ask(reranker, QUERY, DOCUMENTS)) == 3
    assert ticks.slept == [7.0, 1.5]


@both
def test_limit_of_the_minute_is_waited_for_and_warned_of(
    ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jina_rerank")
    ticks = Ticks(time=45.0)
    used_up = jina.build_error(429, "100/100", code="RATE_TOKEN_LIMIT_EXCEEDED")
    with (
        FakeServer(faults=[used_up, Drop()]) as server,
        make(server.url, ticks, api_key=KEY) as reranker,
    ):
        ask(reranker, QUERY, DOCUMENTS)
    assert ticks.slept == [15.0, 1.0]
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    ours = [line for line in said if "trying again" in line[1]]
    assert ours == [
        ("WARNING", "HTTP 429 RATE_TOKEN_LIMIT_EXCEEDED; trying again in 15.0 s"),
        ("INFO", "APIConnectionError; trying again in 1.0 s"),
    ]


@both
def test_server_that_asks_for_too_much_patience_is_the_error(ask: Ask, ticks: Ticks) -> None:
    never = Answer(429, b"{}", {"retry-after": "3600"})
    with (
        FakeServer(faults=[never]) as server,
        make(server.url, ticks) as reranker,
        pytest.raises(RateLimitError) as caught,
    ):
        ask(reranker, QUERY, DOCUMENTS)
    assert caught.value.retry_after == 3600
    assert ticks.slept == []


@both
def test_server_that_dies_between_tries_leaves_each_in_the_error(ask: Ask, ticks: Ticks) -> None:
    with FakeServer(faults=[BUSY]) as server:
        ticks.on_sleep = lambda _: server.stop()
        with make(server.url, ticks) as reranker, pytest.raises(APIConnectionError) as caught:
            ask(reranker, QUERY, DOCUMENTS)
    assert caught.value.attempts == ("HTTP 503", "APIConnectionError", "APIConnectionError")
    assert str(caught.value).endswith(
        "(tried 3 times: HTTP 503, APIConnectionError, APIConnectionError)"
    )


@both
def test_deadline_cuts_the_waits_short(ask: Ask, ticks: Ticks) -> None:
    with (
        FakeServer(faults=repeat(BUSY)) as server,
        make(server.url, ticks, attempts=9, deadline=2.0) as reranker,
        pytest.raises(ServerError) as caught,
    ):
        ask(reranker, QUERY, DOCUMENTS)
    assert ticks.slept == [0.5, 1.0]
    assert len(caught.value.attempts) == 3


@both
def test_deadline_that_comes_meanwhile_is_a_timeout(ask: Ask) -> None:
    ticks = Ticks(step=1.0)
    with (
        FakeServer(faults=repeat(BUSY)) as server,
        make(server.url, ticks, deadline=3.5) as reranker,
        pytest.raises(APITimeoutError, match="within the deadline; raise deadline"),
    ):
        ask(reranker, QUERY, DOCUMENTS)


@both
@pytest.mark.parametrize("fault", [Stall(), Stall(10)], ids=repr)
def test_deadline_ends_a_silent_call(ask: Ask, fault: Fault) -> None:
    with (
        FakeServer(faults=repeat(fault)) as server,
        Reranker(base_url=server.url, deadline=0.1) as reranker,
        pytest.raises(APITimeoutError, match="within the deadline"),
    ):
        ask(reranker, QUERY, DOCUMENTS)


@both
def test_deadline_ends_a_call_whose_headers_trickle_in(ask: Ask) -> None:
    over = threading.Event()
    was_over = []

    class Trickle(StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(100):
                if over.wait(0.02):
                    break
                self.wfile.write(b"x-more: yes\r\n")
            was_over.append(over.is_set())

    with TCPServer(("127.0.0.1", 0), Trickle) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with (
            Reranker(base_url=url, deadline=0.2) as reranker,
            pytest.raises(APITimeoutError, match="within the deadline"),
        ):
            ask(reranker, QUERY, DOCUMENTS)
        over.set()
        thread.join()
    assert was_over != [False]  # it was still sending, unless it found the connection closed


@both
def test_deadline_counts_while_others_hold_the_slots(ask: Ask) -> None:
    with (
        FakeServer(faults=repeat(Stall())) as server,
        Reranker(base_url=server.url, deadline=0.2, max_concurrency=1) as reranker,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(reranker.rank, QUERY, DOCUMENTS)
        server.wait_for(1)
        with pytest.raises(APITimeoutError, match="within the deadline"):
            ask(reranker, QUERY, DOCUMENTS)
        with pytest.raises(APITimeoutError, match="within the deadline"):
            first.result()


@both
def test_requests_per_minute_are_kept(ask: Ask, ticks: Ticks) -> None:
    with FakeServer() as server, make(server.url, ticks, requests_per_minute=2) as reranker:
        for _ in range(5):
            ask(reranker, QUERY, DOCUMENTS)
    assert ticks.slept == [60.0, 60.0]


@both
def test_tokens_per_minute_are_kept_as_the_server_counts_them(ask: Ask, ticks: Ticks) -> None:
    with FakeServer() as server, make(server.url, ticks, tokens_per_minute=70) as reranker:
        for _ in range(4):
            # The fake counts 15 words, the guess is 51.
            assert ask(reranker, QUERY, DOCUMENTS).usage.total_tokens == 15
    assert ticks.slept == [60.0]


@both
def test_pace_beyond_the_deadline_is_a_timeout(ask: Ask, ticks: Ticks) -> None:
    with (
        FakeServer() as server,
        make(server.url, ticks, requests_per_minute=1, deadline=30) as reranker,
    ):
        ask(reranker, QUERY, DOCUMENTS)
        with pytest.raises(APITimeoutError, match="within the deadline"):
            ask(reranker, QUERY, DOCUMENTS)
    assert len(server.requests) == 1


@both
def test_reply_in_a_wrong_encoding_is_none(ask: Ask) -> None:
    lie = Answer(200, b"not gzip", {"content-encoding": "gzip"})
    with (
        FakeServer(faults=[lie]) as server,
        make(server.url) as reranker,
        pytest.raises(APIResponseError, match="Content-Encoding"),
    ):
        ask(reranker, QUERY, DOCUMENTS)
    assert len(server.requests) == 1


@both
def test_reply_without_end_is_none(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST_REPLY", 1000)
    with (
        FakeServer(faults=[Answer(200, b" " * 1001)]) as server,
        make(server.url) as reranker,
        pytest.raises(APIResponseError, match="longer than 1000 bytes"),
    ):
        ask(reranker, QUERY, DOCUMENTS)


@both
def test_client_that_its_owner_closed_is_said_to_be(ask: Ask) -> None:
    client = httpx2.Client()
    client.close()
    with (
        FakeServer() as server,
        make(server.url, http_client=client) as reranker,
        pytest.raises(RuntimeError, match="the client has been closed"),
    ):
        ask(reranker, QUERY, DOCUMENTS)


@both
def test_proxy_of_the_environment_is_used_and_gets_no_key(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    with FakeServer() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setattr(BaseHTTPRequestHandler, "send_error", refuse_and_note(seen))
        with (
            make("https://api.jina.ai", api_key=KEY) as reranker,
            pytest.raises(APIConnectionError, match="the proxy refused the connection: 407"),
        ):
            ask(reranker, QUERY, DOCUMENTS)
    assert len(seen) == 3
    assert all(text.startswith("CONNECT api.jina.ai:443") for text in seen)
    assert KEY not in "".join(seen)


def refuse_and_note(seen: list[str]) -> Any:
    def send_error(self: BaseHTTPRequestHandler, *_: object) -> None:
        seen.append(f"{self.requestline}\n{self.headers}")
        self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        self.close_connection = True

    return send_error


@both
def test_proxy_is_passed_by_on_this_machine(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with FakeServer() as server, make(server.url) as reranker:
        assert len(ask(reranker, QUERY, DOCUMENTS)) == 3


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@both
def test_certificate_of_an_unknown_authority_is_refused_with_the_keyword(
    ask: Ask, tls: ssl.SSLContext
) -> None:
    with (
        FakeServer(tls=tls) as server,
        make(server.url) as reranker,
        pytest.raises(
            APIConnectionError, match=r"CERTIFICATE_VERIFY_FAILED.* give its file as verify"
        ),
    ):
        ask(reranker, QUERY, DOCUMENTS)


@both
@pytest.mark.parametrize("how", ["file", "context", "environment", "off"])
def test_certificate_of_ones_own_authority_is_accepted(  # noqa: PLR0913, PLR0917 - fixtures
    ask: Ask,
    how: str,
    tls: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.create_default_context(cafile=str(file))
    verify: dict[str, Any] = {
        "file": file,
        "context": context,
        "off": False,
    }
    if how == "environment":
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with FakeServer(tls=tls) as server, make(server.url, verify=verify.get(how, True)) as reranker:
        assert len(ask(reranker, QUERY, DOCUMENTS)) == 3


@both
def test_traceback_and_log_hold_no_secret(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    faults: list[Fault] = [Drop(), Drop(10), BUSY, Answer(401, KEY.encode())]
    with (
        FakeServer(faults=faults) as server,
        make(server.url, api_key=KEY, attempts=9) as reranker,
        pytest.raises(Exception, match="401") as caught,
    ):
        ask(reranker, PRIVATE[0], PRIVATE[1:])
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "trying again" in shown
    for secret in (KEY, *PRIVATE):
        assert secret not in shown


def faulty(seed: int) -> Iterator[Fault | None]:
    """A fifth of all requests fail, each in one of the ways that pass."""
    dice = random.Random(seed)  # noqa: S311 - which request fails is no secret
    slow = jina.build_error(429, "2/2", code="RATE_CONCURRENCY_LIMIT_EXCEEDED")
    faults: list[Fault] = [Drop(), Drop(30), BUSY, slow, Answer(502, b"<html>")]
    while True:
        yield dice.choice(faults) if dice.random() < 0.2 else None


CALLS = [(f"word{i}", [f"other {i}", f"this is word{i} itself", "nothing"]) for i in range(2000)]


def test_load_of_many_threads_loses_and_mixes_nothing() -> None:
    with FakeServer(faults=faulty(1)) as server:
        with (
            make(server.url, attempts=12, max_concurrency=8) as reranker,
            ThreadPoolExecutor(32) as pool,
        ):
            rankings = list(pool.map(lambda call: reranker.rank(*call), CALLS))
        assert all(
            (ranking[0].document, ranking[0].score) == (documents[1], 1.0)
            for ranking, (_, documents) in zip(rankings, CALLS, strict=True)
        )
        assert len(server.requests) > 2000
        assert server.busiest <= 8
        assert sockets(server) == 0


def test_load_of_many_tasks_loses_and_mixes_nothing() -> None:
    async def main(reranker: Reranker) -> list[str]:
        remaining, best = iter(range(len(CALLS))), [""] * len(CALLS)

        async def work() -> None:
            for i in remaining:
                ranking = await reranker.arank(*CALLS[i])
                best[i] = ranking[0].document

        await asyncio.gather(*(work() for _ in range(200)))
        return best

    with FakeServer(faults=faulty(2)) as server:
        with make(server.url, attempts=12, max_concurrency=8) as reranker:
            assert asyncio.run(main(reranker)) == [documents[1] for _, documents in CALLS]
            assert sockets(server) == 0  # the loop has ended, and its client with it
        assert server.busiest <= 8


def test_threads_and_tasks_share_the_slots() -> None:
    async def main(reranker: Reranker) -> None:
        await asyncio.gather(
            *(reranker.arank(*call) for call in CALLS[:100]),
            *(asyncio.to_thread(reranker.rank, query, texts) for query, texts in CALLS[:100]),
        )

    with FakeServer() as server, make(server.url, max_concurrency=3) as reranker:
        asyncio.run(main(reranker))
        assert server.busiest <= 3
        assert len(server.requests) == 200


def test_connections_are_kept_between_calls() -> None:
    with FakeServer() as server, make(server.url) as reranker:
        for _ in range(3):
            reranker.rank(QUERY, DOCUMENTS)
        assert sockets(server) == 1


async def test_aclose_closes_what_threads_used() -> None:
    with FakeServer() as server:
        async with Reranker(base_url=server.url) as reranker:
            await asyncio.to_thread(reranker.rank, QUERY, DOCUMENTS)
            assert sockets(server) == 1
        assert sockets(server) == 0


def test_connections_that_were_closed_make_no_more() -> None:
    connections = OwnConnections()
    connections.close()
    with pytest.raises(RuntimeError, match="closed while it was in use"):
        connections.client()


async def test_connections_of_a_loop_are_kept_and_closed_by_aclose() -> None:
    with FakeServer() as server:
        async with Reranker(base_url=server.url) as reranker:
            for _ in range(3):
                await reranker.arank(QUERY, DOCUMENTS)
            await asyncio.to_thread(reranker.rank, QUERY, DOCUMENTS)
            assert sockets(server) == 2
        assert sockets(server) == 0


def test_close_reaches_the_clients_of_other_loops() -> None:
    used, closed = threading.Event(), threading.Event()

    async def main(reranker: Reranker) -> None:
        await reranker.arank(QUERY, DOCUMENTS)
        used.set()
        await asyncio.to_thread(closed.wait)
        await asyncio.sleep(0)

    with FakeServer() as server:
        reranker = Reranker(base_url=server.url)
        thread = threading.Thread(target=lambda: asyncio.run(main(reranker)))
        thread.start()
        assert used.wait(30)
        assert sockets(server) == 1
        reranker.close()
        closed.set()
        thread.join(30)
        assert sockets(server) == 0


def test_loop_that_was_closed_without_cleaning_up_is_forgotten() -> None:
    with FakeServer() as server, make(server.url) as reranker:
        for _ in range(3):
            loop = asyncio.new_event_loop()
            assert len(loop.run_until_complete(reranker.arank(QUERY, DOCUMENTS))) == 3
            loop.close()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(reranker.arank(QUERY, DOCUMENTS))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        del loop
        gc.collect()
        assert sockets(server) == 0


def test_loop_that_was_closed_before_the_reranker_is_left_alone() -> None:
    with FakeServer() as server, make(server.url) as reranker:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(reranker.arank(QUERY, DOCUMENTS))
        loop.close()


@both
def test_use_of_a_closed_backend_is_refused(ask: Ask) -> None:
    with FakeServer() as server, make(server.url) as reranker:
        ask(reranker, QUERY, DOCUMENTS)
        backend = reranker.settings.backend
        assert not isinstance(backend, str | None)
        backend.close()
        with pytest.raises(RuntimeError, match="closed while it was in use"):
            ask(reranker, QUERY, DOCUMENTS)


def test_close_ends_calls_that_are_under_way_without_another_try() -> None:
    with FakeServer(faults=repeat(Stall())) as server:
        reranker = Reranker(base_url=server.url, timeout=0.5)
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(reranker.rank, QUERY, DOCUMENTS)
            server.wait_for(1)
            reranker.close()
            with pytest.raises(RuntimeError, match="closed while it was in use"):
                call.result()
        assert len(server.requests) == 1


def test_close_wakes_calls_that_wait_between_tries() -> None:
    waiting, woken = threading.Event(), []

    def wait(over: threading.Event, seconds: float) -> None:
        waiting.set()
        woken.append(over.wait(seconds))

    with FakeServer(faults=repeat(LATER)) as server:
        settings = Settings(base_url=server.url)
        backend = ApiBackend(settings, clock=Clock(wait=wait))
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(backend.score, QUERY, DOCUMENTS)
            waiting.wait()
            backend.close()
            with pytest.raises(RuntimeError, match="closed while it was in use"):
                call.result()
        assert woken == [True]
        assert len(server.requests) == 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["aclose", "close"])
async def test_close_wakes_tasks_that_wait_between_tries(elsewhere: bool) -> None:  # noqa: FBT001
    waiting, woken = asyncio.Event(), []

    async def asleep(seconds: float) -> None:
        if not seconds:
            return
        waiting.set()
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            woken.append(True)
            raise

    with FakeServer(faults=repeat(LATER)) as server:
        settings = Settings(base_url=server.url)
        backend = ApiBackend(settings, clock=Clock(asleep=asleep))
        call = asyncio.create_task(backend.ascore(QUERY, DOCUMENTS))
        await waiting.wait()
        await (asyncio.to_thread(backend.close) if elsewhere else backend.aclose())
        with pytest.raises(RuntimeError, match="closed while it was in use"):
            await call
        assert woken == [True]
        assert len(server.requests) == 1


async def test_wait_that_begins_after_the_end_is_none() -> None:
    waits = Waits(Clock())
    waits.end()
    await waits.asleep(60)


def test_failure_of_one_part_ends_the_waits_of_the_others() -> None:
    waiting, woken = threading.Event(), threading.Event()

    def wait(over: threading.Event, seconds: float) -> None:
        waiting.set()
        if over.wait(seconds):
            woken.set()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if b"patient" in request.content:
            return httpx2.Response(LATER.status, headers=dict(LATER.headers))
        assert waiting.wait(PATIENCE)
        return httpx2.Response(400)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as given:
        settings = Settings(
            base_url="https://api.example.com/v1", http_client=given, dialect="jina"
        )
        backend = ApiBackend(settings, clock=Clock(wait=wait))
        with pytest.raises(APIError):
            backend.score_many([("wrong", ["a"]), ("patient", ["b"])])
        assert woken.wait(PATIENCE)


def test_cancelled_task_gives_its_slot_back() -> None:
    async def main(reranker: Reranker) -> None:
        task = asyncio.create_task(reranker.arank(QUERY, DOCUMENTS))
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(await reranker.arank(QUERY, DOCUMENTS)) == 3

    with (
        FakeServer(faults=[Stall()]) as server,
        make(server.url, max_concurrency=1) as reranker,
    ):
        asyncio.run(main(reranker))


def test_forked_child_has_connections_of_its_own() -> None:
    with FakeServer() as server, make(server.url) as reranker:
        expected = reranker.rank(QUERY, DOCUMENTS)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(reranker.arank(QUERY, DOCUMENTS))
        child = os.fork()
        if child == 0:
            same = reranker.rank(QUERY, DOCUMENTS) == asyncio.run(reranker.arank(QUERY, DOCUMENTS))
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert reranker.rank(QUERY, DOCUMENTS) == expected
        assert loop.run_until_complete(reranker.arank(QUERY, DOCUMENTS)) == expected
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        assert len(server.requests) == 6
