"""Errors of services: every envelope read, every status the right class, nothing repeated."""

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from jina_rerank.wire.failure import Envelope, read_envelope, read_error, retry_after
from jina_rerank.wire.fields import dump
from jina_rerank.wire.quote import LONGEST, quotable
from jina_rerank.wire.values import Answer

from .test_wire import json_values

KEY = "jina_0123456789abcdef"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (307, BadRequestError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, QuotaError),
        (403, AuthenticationError),
        (404, BadRequestError),
        (405, BadRequestError),
        (408, BadRequestError),
        (409, ConflictError),
        (413, BadRequestError),
        (418, BadRequestError),
        (422, BadRequestError),
        (424, ServerError),
        (429, RateLimitError),
        (500, ServerError),
        (524, ServerError),
    ],
)
def test_status_has_its_class(status: int, kind: type[APIStatusError]) -> None:
    error = read_error(Answer(status, b""))
    assert type(error) is kind
    assert str(error).startswith(f"HTTP {status}: ")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", Envelope()),
        (b"plain text", Envelope(message="plain text")),
        (b'"a string"', Envelope(message="a string")),
        (b"[]", Envelope()),
        (
            b'{"detail": "d", "code": "C", "request_id": "r"}',
            Envelope(message="d", code="C", request_id="r"),
        ),
        (
            b'{"detail": {"message": "m", "code": "C", "request_id": "r"}}',
            Envelope(message="m", code="C", request_id="r"),
        ),
        (
            b'{"detail": {"message": "m", "code": "C"}, "request_id": "r"}',
            Envelope(message="m", code="C", request_id="r"),
        ),
        (
            b'{"detail": "long", "errors": [{"field": "body -> query", "message": "m", "input": "i"}]}',
            Envelope(message="body -> query: m"),
        ),
        (
            b'{"detail": [{"loc": ["body", 0], "msg": "m", "type": "t"}, {"loc": 5, "msg": "n"}, 7]}',
            Envelope(message="body -> 0: m"),
        ),
        (b'{"message": "m", "id": "r"}', Envelope(message="m", request_id="r")),
        (b'{"error": "e", "error_type": "Overloaded"}', Envelope(message="e", code="Overloaded")),
        (b'{"error": {"message": "m", "type": "T", "code": 400}}', Envelope(message="m", code="T")),
        (b'{"object": "error", "message": "m", "type": "T"}', Envelope(message="m", code="T")),
        (b'{"detail": 5, "code": "no code", "request_id": 7}', Envelope()),
    ],
)
def test_envelope_is_read(body: bytes, expected: Envelope) -> None:
    assert read_envelope(body) == expected


@given(value=json_values, status=st.integers(300, 599))
def test_any_json_is_an_error_that_repeats_nothing(value: Any, status: int) -> None:
    error = read_error(Answer(status, dump_any(value)), secrets=[KEY])
    assert isinstance(error, APIStatusError)
    assert str(error).isprintable()


def dump_any(value: Any) -> bytes:
    try:
        return dump(value)
    except ValueError:  # NaN is no JSON
        return repr(value).encode()


@given(
    envelope=st.sampled_from(["detail", "message", "error", "code", "request_id", "id", "type"]),
    before=st.text("ab ", max_size=5),
)
def test_key_and_texts_are_never_repeated(envelope: str, before: str) -> None:
    texts = ["who shot the sheriff?", "the deputy's long testimony"]
    for said in [
        KEY,
        KEY[5:],
        *texts,
        texts[1][3:20].upper(),
        f"{before}{KEY}",
        f"{before}{texts[0]}",
    ]:
        for body in (dump({envelope: said}), dump({"detail": {envelope: said}}), said.encode()):
            error = read_error(Answer(400, body), texts=texts, secrets=[KEY])
            shown = f"{error} {error.code} {error.request_id}".casefold()
            assert KEY[5:] not in shown
            assert "sheriff" not in shown
            assert "deputy" not in shown


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("model is  overloaded\n", "model is overloaded"),
        ("x" * 1000, "x" * LONGEST + "..."),
        ("<html>502</html>", ""),
        ("an escape \\u0041", ""),
        ("a bell \a", ""),
        ("", ""),
        ("the short text cat is one", ""),
        ("concatenated", "concatenated"),
        ("a key that starts with jina_", "a key that starts with jina_"),
    ],
)
def test_message_is_quoted_if_it_is_harmless(said: str, quoted: str) -> None:
    assert quotable(said, texts=["cat"], secrets=[KEY]) == quoted


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Wed, 25 Nov 2026 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 25 Nov 2026 08:00:30 -0000"}, 30.0),
        ({"retry-after": "Wed, 25 Nov 2026 07:00:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Wed, 25 Nov 99999 08:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    now = datetime(2026, 11, 25, 8, tzinfo=UTC).timestamp()
    assert retry_after(Answer(429, b"", headers), now=now) == seconds


def test_retry_after_of_a_date_counts_from_now() -> None:
    seconds = retry_after(Answer(429, b"", {"retry-after": "Wed, 25 Nov 2099 08:00:30 GMT"}))
    assert seconds is not None
    assert seconds > 0


@given(value=st.text())
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    seconds = retry_after(Answer(429, b"", {"retry-after": value}))
    assert seconds is None or seconds >= 0


def test_request_id_may_be_a_header() -> None:
    error = read_error(Answer(500, b"", {"x-request-id": "has space", "cf-ray": "8a-FRA"}))
    assert error.request_id == "8a-FRA"
    assert str(error) == "HTTP 500: the service failed: try again later; request id 8a-FRA"


def test_redirect_names_the_host_to_use_and_no_more() -> None:
    headers = {"location": "https://new.example:8443/v1?key=secret"}
    said = str(read_error(Answer(308, b"", headers)))
    assert "to https://new.example:8443, which is not followed" in said
    assert "secret" not in said


def test_redirect_to_nowhere_is_an_error_all_the_same() -> None:
    assert "the address redirects, which is not followed" in str(read_error(Answer(302, b"")))


def test_tries_are_listed_if_there_were_several() -> None:
    error = APIConnectionError("refused")
    assert str(error) == "refused"
    error.attempts = ("APIConnectionError",)
    assert str(error) == "refused"
    error.attempts = ("APIConnectionError", "APIConnectionError")
    assert str(error) == "refused (tried 2 times)"
    error.attempts = ("HTTP 503", "APIConnectionError")
    assert str(error) == "refused (tried 2 times: HTTP 503, APIConnectionError)"


def test_tries_stay_through_pickle() -> None:
    error = RateLimitError("slow", status=429, code="C", retry_after=2.0, request_id="r")
    error.attempts = ("HTTP 429", "HTTP 429")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made above
    assert (str(copy), copy.attempts, copy.code) == (str(error), error.attempts, "C")


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b'{"code": "Aspirin", "message": "no"}', {}),
        (400, b'{"message": "no", "request_id": "Aspirin"}', {}),
        (400, b"", {"x-request-id": "aspirin"}),
        (302, b"", {"location": "https://aspirin.example.com/"}),
    ],
)
def test_text_of_one_word_is_not_repeated(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    error = read_error(Answer(status, body, headers), texts=["aspirin"])
    said = f"{error} {error.code} {error.request_id}"
    assert "aspirin" not in said.lower()


def test_known_code_is_kept_though_a_text_is_the_same_word() -> None:
    body = b'{"code": "INPUT_MODEL_NOT_FOUND"}'
    error = read_error(Answer(400, body), texts=["INPUT_MODEL_NOT_FOUND"])
    assert error.code == "INPUT_MODEL_NOT_FOUND"
