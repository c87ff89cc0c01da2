"""Connections whose other side is slow, silent, gone, or speaks no HTTP: real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from jina_rerank_server import frame, protocol, running
from jina_rerank_server.running import Runner, bind

from .application import App, eventually, serving
from .gate import PATIENCE, Gate

HEAD = b"POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\n"
BODY = b'{"query": "q", "documents": ["a", "b"]}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def status(self) -> int:
        """Read an answer whole, and return its status."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await self.reader.readexactly(int(line.partition(b":")[2]))
        return int(head.split()[1])

    async def end(self) -> bytes:
        """Read until the server ends the connection."""
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(PATIENCE):
                return await self.reader.read()
        return b""


class Listening:
    """A server on a port of this machine, in this event loop."""

    def __init__(self, app: App, runner: Runner, port: int) -> None:
        self.app = app
        self.runner = runner
        self.port = port

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()


@asynccontextmanager
async def listening(*backends: Gate, largest: int = 100_000) -> AsyncIterator[Listening]:
    async with serving(*backends, largest=largest) as app:
        listener = bind("127.0.0.1", 0)
        runner = Runner(app.server)
        served = asyncio.create_task(runner.serve([listener]))
        try:
            yield Listening(app, runner, listener.getsockname()[1])
        finally:
            runner.should_exit = True
            for backend in backends:
                backend.stay_open()
            await served


async def test_requests_of_one_connection_are_answered_one_after_the_other() -> None:
    async with listening() as server, server.client() as client:
        client.send(WHOLE + WHOLE)
        assert (await client.status(), await client.status()) == (200, 200)


async def test_connection_that_stays_silent_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD", 0.05)
    async with listening() as server, server.client() as client:
        assert await client.end() == b""


async def test_head_that_comes_too_slowly_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD", 0.05)
    async with listening() as server, server.client() as client:
        client.send(WHOLE)
        assert await client.status() == 200
        client.send(HEAD)
        assert await client.end() == b""


async def test_more_bytes_do_not_prolong_the_time_of_a_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD", 0.1)
    async with listening() as server, server.client() as client:
        client.send(HEAD)
        ended = asyncio.create_task(client.end())
        while not ended.done():
            with contextlib.suppress(ConnectionError):
                client.send(b"X-A: 1\r\n")
                await client.writer.drain()
            await asyncio.sleep(0.01)
        assert ended.result() == b""


async def test_time_of_a_head_ends_with_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(shut=True)
    monkeypatch.setattr(protocol, "HEAD", 0.05)
    async with listening(gate) as server, server.client() as client:
        client.send(WHOLE)
        await gate.entered()
        await asyncio.sleep(0.1)
        gate.stay_open()
        assert await client.status() == 200


@pytest.mark.parametrize("head", [HEAD, HEAD + b"Connection: close\r\n"])
async def test_refusal_reaches_a_client_that_first_sends_everything(head: bytes) -> None:
    body = b" " * 5_000_000
    async with listening(largest=100) as server, server.client() as client:
        client.send(head + b"Content-Length: %d\r\n\r\n" % len(body))
        client.send(body)
        await client.writer.drain()
        assert await client.status() == 413


async def test_connection_goes_on_after_a_refused_body() -> None:
    body = b" " * 5_000_000
    async with listening(largest=100) as server, server.client() as client:
        client.send(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert await client.status() == 413
        client.send(WHOLE)
        assert await client.status() == 200


async def test_refused_body_that_never_ends_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frame, "REST", 0.05)
    async with listening(largest=100) as server, server.client() as client:
        client.send(HEAD + b"Content-Length: 1000\r\n\r\n...")
        assert await client.status() == 413
        assert await client.end() == b""


async def test_client_that_asks_before_it_sends_is_refused_at_once() -> None:
    async with listening(largest=100) as server, server.client() as client:
        client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
        assert await client.status() == 413


async def test_body_that_nobody_reads_and_never_ends_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "LINGER", 0.05)
    async with listening() as server, server.client() as client:
        client.send(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n...")
        assert await client.status() == 200
        assert await client.end() == b""


async def test_answer_that_is_not_read_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "READ", 0.05)
    body = b'{"query": "q", "documents": ["%b"]}' % (b"a" * 20_000_000)
    async with listening(largest=2 * len(body)) as server, server.client() as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        connections = server.runner.server_state.connections
        await eventually(lambda: connections)
        await eventually(lambda: not connections)


async def test_answer_that_is_read_keeps_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "READ", 0.05)
    body = b'{"query": "q", "documents": ["%b"]}' % (b"a" * 5_000_000)
    async with listening(largest=2 * len(body)) as server, server.client() as client:
        client.send(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert await client.status() == 200
        await asyncio.sleep(0.1)
        client.send(WHOLE)
        assert await client.status() == 200


@pytest.mark.parametrize(
    "bad",
    [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
)
async def test_what_is_no_http_is_400_and_ends_the_connection(bad: bytes) -> None:
    async with listening() as server, server.client() as client:
        client.send(bad + b"\r\n\r\n")
        assert (await client.end()).startswith(b"HTTP/1.1 400")


async def test_client_that_leaves_cancels_what_waits() -> None:
    gate = Gate(shut=True)
    async with listening(gate) as server, server.client() as first:
        first.send(WHOLE)
        await gate.entered()
        async with server.client() as second:
            second.send(WHOLE)
            queue = server.app.server.metrics.queue.labels("turbo")
            await eventually(queue._value.get)
        await eventually(lambda: not queue._value.get())
        gate.stay_open()
        assert await first.status() == 200


async def test_parts_of_an_answer_do_not_wait_for_each_other() -> None:
    async with listening() as server, server.client() as client:
        client.send(WHOLE)
        assert await client.status() == 200
        (connection,) = server.runner.server_state.connections
        opened = connection.transport.get_extra_info("socket")
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_stop_finishes_what_is_under_way_and_what_is_on_its_way() -> None:
    gate = Gate(shut=True)
    async with listening(gate) as server, server.client() as busy, server.client() as idle:
        busy.send(WHOLE)
        await gate.entered()
        server.runner.should_exit = True
        await eventually(lambda: server.app.server.stopping)
        idle.send(WHOLE)
        queue = server.app.server.metrics.queue.labels("turbo")
        await eventually(queue._value.get)
        gate.stay_open()
        assert (await busy.status(), await idle.status()) == (200, 200)
        assert (await busy.end(), await idle.end()) == (b"", b"")


async def test_stopped_server_takes_no_connection() -> None:
    gate = Gate(shut=True)
    async with listening(gate) as server, server.client() as busy:
        busy.send(WHOLE)
        await gate.entered()
        server.runner.should_exit = True
        listeners = server.runner.servers
        await eventually(lambda: not any(each.is_serving() for each in listeners))
        with pytest.raises(ConnectionError):
            async with server.client():
                pass


async def test_stop_that_has_taken_long_enough_answers_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STOP", running.LAST_CALL + 0.05)
    gate = Gate(shut=True)
    async with listening(gate) as server, server.client() as client:
        client.send(WHOLE)
        await gate.entered()
        server.runner.should_exit = True
        assert await client.status() == 503
