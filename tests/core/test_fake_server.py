"""The services of `jina_rerank.testing`, asked without our own client."""

import json
from typing import Any

import httpx2
import pytest

from jina_rerank.testing import FakeServer
from jina_rerank.wire.values import Answer

BODY = {"query": "red planet", "documents": ["blue sea", "a red planet"], "model": "m"}
TEI = {"query": "red planet", "texts": ["blue sea", "a red planet"]}


def post(server: FakeServer, path: str, body: Any, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(server.url + path, content=content, headers=headers, trust_env=False)


@pytest.mark.parametrize(
    ("kind", "path", "body", "expected"),
    [
        (
            "jina",
            "/v1/rerank",
            BODY | {"top_n": 1},
            {
                "model": "m",
                "object": "list",
                "usage": {"total_tokens": 7},
                "results": [{"index": 1, "relevance_score": 1.0, "document": "a red planet"}],
            },
        ),
        (
            "cohere",
            "/v2/rerank",
            BODY | {"top_n": 1},
            {
                "id": "0" * 32,
                "results": [{"index": 1, "relevance_score": 1.0}],
                "meta": {
                    "api_version": {"version": "2"},
                    "billed_units": {"search_units": 1},
                    "tokens": {"input_tokens": 7},
                },
            },
        ),
        (
            "tei",
            "/rerank",
            TEI | {"return_text": True},
            [
                {"index": 1, "score": 1.0, "text": "a red planet"},
                {"index": 0, "score": 0.0, "text": "blue sea"},
            ],
        ),
        (
            "vllm",
            "/v2/rerank",
            BODY | {"top_n": 1},
            {
                "model": "m",
                "usage": {"total_tokens": 7, "prompt_tokens": 7},
                "results": [
                    {"index": 1, "relevance_score": 1.0, "document": {"text": "a red planet"}}
                ],
                "id": "rerank-0",
            },
        ),
    ],
)
def test_server_answers_as_its_vendors_own(kind: str, path: str, body: Any, expected: Any) -> None:
    with FakeServer(kind) as server:
        response = post(server, path, body)
    assert response.status_code == 200
    assert response.json() == expected


@pytest.mark.parametrize(
    ("kind", "path", "body", "status", "said"),
    [
        ("jina", "/rerank", BODY, 404, "Invalid endpoint"),
        ("jina", "/v1/rerank", BODY, 400, "INPUT_MODEL_NOT_FOUND"),
        ("jina", "/v1/rerank", {"query": "q"}, 422, "body -> documents"),
        ("jina", "/v1/rerank", b"{", 422, "JSON decode error"),
        ("cohere", "/v2/rerank", {"query": "q", "documents": []}, 400, "invalid request"),
        ("cohere", "/v2/rerank", BODY, 404, "model 'm' not found"),
        ("cohere", "/v1/rerank", BODY, 404, "Invalid endpoint"),
        ("tei", "/rerank", {"query": "q", "texts": []}, 400, "`texts` cannot be empty"),
        ("tei", "/rerank", BODY, 422, "missing field `texts`"),
        ("tei", "/rerank", {"query": "q", "texts": ["a"] * 33}, 422, "batch size 33 > maximum"),
        ("tei", "/v1/rerank", TEI, 404, ""),
        ("infinity", "/rerank", BODY, 404, "The model `m` does not exist"),
        ("llama.cpp", "/v1/rerank", {"documents": []}, 400, "invalid_request_error"),
    ],
)
def test_server_refuses_as_its_vendors_own(
    kind: str, path: str, body: Any, status: int, said: str
) -> None:
    with FakeServer(kind, model="served") as server:
        response = post(server, path, body)
    assert response.status_code == status
    assert said in response.text


def test_server_wants_its_key() -> None:
    with FakeServer(key="k") as server:
        missing = post(server, "/v1/rerank", BODY)
        wrong = post(server, "/v1/rerank", BODY, authorization="Bearer other")
        right = post(server, "/v1/rerank?a=b", BODY, authorization="Bearer k")
    assert missing.json()["code"] == "AUTH_MISSING_API_KEY"
    assert wrong.json()["code"] == "AUTH_INVALID_API_KEY"
    assert right.status_code == 200


def test_server_sends_an_answer_as_it_is_told() -> None:
    with FakeServer(faults=[Answer(418, b"tea", {"x-pot": "yes"})]) as server:
        told, own = post(server, "/v1/rerank", BODY), post(server, "/v1/rerank", BODY)
    assert (told.status_code, told.content, told.headers["x-pot"]) == (418, b"tea", "yes")
    assert own.status_code == 200


def test_request_that_does_not_come_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jina_rerank.testing.server.PATIENCE", 0.0)
    with FakeServer() as server, pytest.raises(AssertionError, match="1 requests were expected"):
        server.wait_for(1)


def test_server_stops_twice() -> None:
    with FakeServer() as server:
        server.stop()
    with pytest.raises(httpx2.ConnectError):
        post(server, "/v1/rerank", BODY)
