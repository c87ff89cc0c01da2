"""The frame around an application that does what ours never does."""

import logging

import pytest
from jina_rerank_server.access import Access
from jina_rerank_server.frame import Frame
from jina_rerank_server.metrics import Metrics
from starlette.types import Message, Receive, Scope, Send

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


async def breaks_off(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An application that fails in the middle of its answer."""
    await send(START)
    message = "a text"
    raise KeyError(message)


async def silent(_scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers what the server itself asks."""
    await send(await receive())


def framed(app: object) -> tuple[Frame, list[Message]]:
    frame = Frame(app, Access(), Metrics(), frozenset(), lambda: False)  # type: ignore[arg-type]
    return frame, []


async def test_answer_that_breaks_off_gets_no_second_one(caplog: pytest.LogCaptureFixture) -> None:
    frame, sent = framed(breaks_off)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"host", b"localhost")],
        "client": None,
    }
    await frame(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "unexpected KeyError"


async def test_what_is_no_request_is_passed_on() -> None:
    frame, sent = framed(silent)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    await frame({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup"}]
