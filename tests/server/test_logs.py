"""Log lines: JSON for machines, text for people, no text of an exception."""

import io
import json
import logging
import sys

import pytest
from jina_rerank_server.logs import LOGGER, configure

from ..core.program import Screen

pytestmark = pytest.mark.usefixtures("_loggers")


def fail() -> None:
    message = "a document's text"
    raise KeyError(message)


def log_all() -> None:
    logger = logging.getLogger(LOGGER)
    facts = {"status": 200, "method": "POST", "route": "/v1/rerank", "seconds": 0.0123}
    more = {"model": "nano", "documents": 3, "tokens": 21}
    logger.info("request", extra={"facts": facts | more, "request_id": "7"})
    logger.info("request", extra={"facts": facts | {"reason": "busy"}, "request_id": "8"})
    try:
        fail()
    except KeyError:
        logger.exception("unexpected %s", "KeyError")


def test_stream_that_is_no_terminal_gets_json() -> None:
    stream = io.StringIO()
    configure(stream)
    log_all()
    first, _, second = map(json.loads, stream.getvalue().splitlines())
    assert first["message"] == "request"
    assert (first["route"], first["request_id"], first["level"]) == ("/v1/rerank", "7", "info")
    assert second["error"] == "KeyError"
    assert "in fail" in second["where"]
    assert "a document's text" not in stream.getvalue()


def test_terminal_gets_text() -> None:
    stream = Screen()
    configure(stream)
    log_all()
    first, second, third, *rest = stream.getvalue().splitlines()
    assert first[8:] == " 200 POST /v1/rerank 0.012 s · nano: 3 documents, 21 tokens"
    assert second[8:] == " 200 POST /v1/rerank 0.012 s · busy, request 8"
    assert third[8:] == " ERROR unexpected KeyError"
    assert "in fail" in "".join(rest)
    assert "a document's text" not in stream.getvalue()


@pytest.mark.parametrize("stream", [Screen(), io.StringIO()])
def test_form_can_be_chosen(stream: io.StringIO) -> None:
    configure(stream, as_json=True)
    log_all()
    assert stream.getvalue().startswith("{")


def test_standard_error_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure()
    log_all()
    assert "request" in stream.getvalue()


def test_other_libraries_say_only_warnings() -> None:
    stream = io.StringIO()
    configure(stream)
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert len(stream.getvalue().splitlines()) == 1
