"""Bodies: too large, too slow, too many, gone."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from jina_rerank_server.app import Server, create_app
from jina_rerank_server.bodies import AT_ONCE, LARGE, Bodies, Gone
from jina_rerank_server.refusals import BUSY, Refusal
from starlette.types import Message

from .application import ROUTES, body_of, serving
from .gate import PATIENCE, Gate

LARGEST = 100


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size):
        yield b" "


@pytest.mark.parametrize("route", ROUTES)
async def test_body_with_a_length_that_is_too_large_is_413(route: str) -> None:
    async with serving(largest=LARGEST) as app:
        said = await app.post(route, b" " * (LARGEST + 1))
    assert said.status_code == 413


async def test_body_without_a_length_is_counted_while_it_streams() -> None:
    async with serving(largest=LARGEST) as app:
        said = await app.client.post("/v1/rerank", content=chunks(LARGEST + 1))
        fits = await app.client.post("/v1/rerank", content=chunks(LARGEST))
    assert said.json()["detail"]["code"] == "PAYLOAD_TOO_LARGE"
    assert fits.status_code == 422


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 19, "101"])
async def test_length_beyond_any_number_is_413(length: str) -> None:
    async with serving(largest=LARGEST) as app:
        said = await app.post("/v1/rerank", b"", content_length=length)
    assert said.status_code == 413


@pytest.mark.parametrize("length", ["-1", "x"])
async def test_length_that_is_none_changes_nothing(length: str) -> None:
    async with serving() as app:
        said = await app.post("/v1/rerank", b"{}", content_length=length)
    assert said.status_code == 422


async def test_compressed_body_is_415() -> None:
    async with serving() as app:
        said = await app.post("/v1/rerank", b"\x1f\x8b", content_encoding="gzip")
    assert said.status_code == 415


async def test_body_that_does_not_come_is_408_and_closes_the_connection() -> None:
    async with serving(patience=0.01) as app:
        sent = await raw(app.server, [])
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_client_that_leaves_while_it_sends_gets_no_answer() -> None:
    async with serving() as app:
        sent = await raw(app.server, [{"type": "http.disconnect"}])
        requests = app.server.metrics.requests
    assert sent == []
    assert requests.labels("/v1/rerank", "", "499")._value.get() == 1


async def test_client_that_leaves_while_it_waits_cancels_its_work() -> None:
    gate = Gate(shut=True)
    async with serving(gate) as app:
        first = asyncio.create_task(app.post("/v1/rerank", body_of("/v1/rerank")))
        await gate.entered()
        body = b'{"query": "q", "documents": ["a"]}'
        whole = {"type": "http.request", "body": body, "more_body": False}
        sent = await raw(app.server, [whole, whole, {"type": "http.disconnect"}])
        assert app.server.metrics.queue.labels("turbo")._value.get() == 0
        assert app.server.metrics.cancelled.labels("turbo")._value.get() == 1
        gate.stay_open()
        assert (await first).status_code == 200
    assert sent == []


async def test_server_that_has_waited_long_enough_answers_503() -> None:
    gate = Gate(shut=True)
    async with serving(gate) as app:
        waiting = asyncio.create_task(app.post("/v1/rerank", body_of("/v1/rerank")))
        await gate.entered()
        waiting.cancel()
        assert (await waiting).status_code == 503


def test_too_many_large_bodies_at_once_are_refused() -> None:
    bodies = Bodies(largest=LARGEST, patience=1.0)
    for _ in range(AT_ONCE):
        bodies.take(LARGEST)
    with pytest.raises(Refusal) as caught:
        bodies.take(1)
    assert caught.value.reason is BUSY


async def test_large_bodies_are_parsed_one_at_a_time() -> None:
    bodies = Bodies(largest=LARGEST, patience=1.0)
    seen: list[str] = []

    async def parse() -> None:
        async with bodies.turn(LARGE):
            seen.append("begin")
            await asyncio.sleep(0)
            seen.append("end")

    await asyncio.gather(*(parse() for _ in range(3)))
    assert seen == ["begin", "end"] * 3


async def test_small_body_does_not_wait_for_a_large_one() -> None:
    bodies = Bodies(largest=LARGEST, patience=1.0)
    async with bodies.turn(LARGE), bodies.turn(LARGE - 1):
        assert bodies.held == 0


async def test_large_body_that_cannot_be_parsed_lets_the_next_one_in() -> None:
    bodies = Bodies(largest=LARGEST, patience=1.0)

    async def fail() -> None:
        async with bodies.turn(LARGE):
            raise Gone

    with pytest.raises(Gone):
        await fail()
    async with asyncio.timeout(PATIENCE), bodies.turn(LARGE):
        pass


async def test_room_of_a_body_is_free_once_its_request_is_over() -> None:
    bodies = Bodies(largest=LARGEST, patience=1.0)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"123", "more_body": False}

    with bodies.room() as room:
        assert await room.read(receive, {}) == b"123"
        assert bodies.held == 3
    assert bodies.held == 0


async def test_room_of_a_body_that_breaks_off_is_free() -> None:
    bodies = Bodies(largest=LARGEST, patience=1.0)
    messages: Iterator[Message] = iter(
        [
            {"type": "http.request", "body": b"123", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Message:
        return next(messages)

    with pytest.raises(Gone), bodies.room() as room:
        await room.read(receive, {})
    assert bodies.held == 0


async def raw(server: Server, messages: list[Message]) -> list[Message]:
    """Ask `/v1/rerank` with these messages, then silence; return what was sent."""
    sent: list[Message] = []
    coming = iter(messages)

    async def receive() -> Message:
        for message in coming:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/rerank",
        "headers": [(b"host", b"localhost")],
        "query_string": b"",
    }
    await create_app(server)(scope, receive, send)
    return sent
