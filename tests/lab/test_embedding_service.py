import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jina_rerank_lab.embedding_service import COHERE, JINA, ServiceEmbedder

from jina_rerank.errors import APIResponseError, AuthenticationError, BadRequestError
from jina_rerank.http.clock import Clock
from jina_rerank.testing.server import FakeServer
from jina_rerank.wire.values import Answer

CLOCK = Clock(wait=lambda _event, _seconds: None)
"""Time that does not pass."""


def jina(*vectors: object, tokens: object = 7) -> Answer:
    data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    return reply({"data": data[::-1], "usage": {"total_tokens": tokens}})


def cohere(*vectors: object) -> Answer:
    units = {"billed_units": {"input_tokens": 7}}
    return reply({"embeddings": {"float": vectors}, "meta": units})


def reply(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json"})


def test_vectors_of_jina_are_put_in_order_and_made_of_length_1() -> None:
    with FakeServer("jina", faults=[jina([3, 4], [0, 2])]) as server:
        model = ServiceEmbedder("jina-embeddings-v2-base-en", url=f"{server.url}/embeddings")
        assert model.encode(["a", "b"]) == pytest.approx(np.array([[0.6, 0.8], [0, 1]]))
        (asked,) = server.requests
    assert asked.json == {
        "model": "jina-embeddings-v2-base-en",
        "input": ["a", "b"],
        "normalized": True,
    }


@pytest.mark.parametrize(
    ("query", "task"), [(True, "retrieval.query"), (False, "retrieval.passage")]
)
def test_later_models_of_jina_are_told_what_they_read(*, query: bool, task: str) -> None:
    with FakeServer("jina", faults=[jina([1])]) as server:
        ServiceEmbedder("jina-embeddings-v3", url=server.url).encode(["a"], query=query)
        assert server.requests[0].json["task"] == task


@pytest.mark.parametrize(("query", "kind"), [(True, "search_query"), (False, "search_document")])
def test_cohere_is_asked_in_its_own_words(*, query: bool, kind: str) -> None:
    with FakeServer("cohere", faults=[cohere([0, 2])]) as server:
        model = ServiceEmbedder("embed-english-v3.0", url=server.url)
        assert model.encode(["a"], query=query).tolist() == [[0, 1]]
        assert server.requests[0].json == {
            "model": "embed-english-v3.0",
            "texts": ["a"],
            "input_type": kind,
            "embedding_types": ["float"],
            "truncate": "END",
        }


@pytest.mark.parametrize(
    ("model", "answer", "most"),
    [("jina-embeddings-v3", jina, JINA.most), ("embed-english-v3.0", cohere, COHERE.most)],
)
def test_many_texts_are_several_requests(
    model: str, answer: Callable[..., Answer], most: int
) -> None:
    with FakeServer("jina", faults=[answer(*[[1, 0]] * most), answer([0, 1])]) as server:
        vectors = ServiceEmbedder(model, url=server.url).encode(["a"] * (most + 1))
        assert vectors.shape == (most + 1, 2)
        assert vectors[-1].tolist() == [0, 1]


def test_no_texts_are_no_request() -> None:
    with FakeServer("jina") as server:
        assert ServiceEmbedder("m", url=server.url).encode([]).shape == (0, 0)
        assert server.requests == []


def test_busy_service_is_asked_again() -> None:
    with FakeServer("jina", faults=[reply({"detail": "busy"}, 429), jina([1])]) as server:
        model = ServiceEmbedder("jina-embeddings-v3", url=server.url, clock=CLOCK)
        assert model.encode(["a"]).tolist() == [[1]]


def test_refusal_is_an_error_without_the_texts() -> None:
    with FakeServer("jina", faults=[reply({"detail": "secret text is bad"}, 422)]) as server:
        model = ServiceEmbedder("jina-embeddings-v3", url=server.url)
        with pytest.raises(BadRequestError) as caught:
            model.encode(["secret text"])
    assert "secret text" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        reply({"data": []}),
        reply([]),
        jina([1, 0], [1, 0]),
        jina(["a"]),
        jina([1], tokens="many"),
        jina([0, 0]),
        jina([]),
        jina([float("inf")]),
    ],
)
def test_reply_without_the_vectors_is_an_error(answer: Any) -> None:
    with FakeServer("jina", faults=[answer]) as server:
        model = ServiceEmbedder("jina-embeddings-v3", url=server.url)
        with pytest.raises(APIResponseError):
            model.encode(["a", "b", "c"])


@pytest.mark.parametrize("model", ["jina-embeddings-v3", "embed-english-v3.0"])
def test_key_that_is_missing_is_asked_for(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JINA_API_KEY", "JINAAI_API_KEY", "COHERE_API_KEY", "CO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AuthenticationError, match="_API_KEY"):
        ServiceEmbedder(model)


@pytest.mark.parametrize(
    ("model", "variable"),
    [("jina-embeddings-v3", "JINA_API_KEY"), ("embed-english-v3.0", "CO_API_KEY")],
)
def test_key_of_the_environment_goes_to_its_service_only(
    model: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    monkeypatch.setenv(variable, "made-up-key")
    assert ServiceEmbedder(model)._headers["authorization"] == "Bearer made-up-key"
    with FakeServer("jina", faults=[reply({}, 400)]) as server:
        with pytest.raises(BadRequestError):
            ServiceEmbedder(model, url=server.url).encode(["a"])
        assert "authorization" not in server.requests[0].headers


def test_identity_names_service_and_model() -> None:
    one, other = (ServiceEmbedder(f"m{i}", url="http://localhost:1") for i in range(2))
    assert one.identity() == "api http://localhost:1 m0"
    assert one.identity() != other.identity()
    assert one.name == "api:m0"
