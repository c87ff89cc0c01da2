"""The collected requests of other services' clients, and the errors that those services answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jina_rerank_server.access import Access, read_keys
from jina_rerank_server.app import Server, create_app
from jina_rerank_server.batcher import Batcher
from jina_rerank_server.served import Model, Served

from jina_rerank import Backend, CheckpointError
from jina_rerank.testing import FakeBackend
from jina_rerank.wire import cohere, jina, sagemaker, tei
from jina_rerank.wire.failure import read_error
from jina_rerank.wire.values import Answer, RerankReply

from .application import body_of, serving
from .gate import Gate

FOLDER = Path(__file__).parents[1] / "fixtures" / "rerank-api"
CASES: dict[str, dict[str, Any]] = {
    case["id"]: case for case in json.loads((FOLDER / "cases.json").read_text("utf-8"))
}
READERS: dict[str, Callable[[Answer], RerankReply]] = {
    "cohere_v2": cohere.read_reply,
    "tei": tei.read_reply,
    "sagemaker_jina": sagemaker.read_reply,
    "sagemaker_container": sagemaker.read_reply,
}
NOT_SUPPORTED = {
    "jina.ok.m0.images": "images",
    "jina.ok.v3.return_embeddings": "embeddings",
    "sagemaker.ok.m0": "images",
    "vllm.ok": "a top_n of 0, which Jina refuses",
}
ASKING = [
    case for case in CASES.values() if case["kind"] == "success" and case["request"].get("json")
]


def renamed(server: Server, name: str) -> Batcher:
    """Make the server's one model answer to a name."""
    (model,) = server.served
    server.served = Served([Model(model.batcher, name, frozenset({name}))])
    return model.batcher


async def ask(case: dict[str, Any]) -> httpx2.Response:
    """Send a case's request to a server that has its model."""
    request = case["request"]
    route = "/invocations" if "invocations" in request["path"] else request["path"]
    async with serving() as app:
        renamed(app.server, request["json"].get("model", "turbo"))
        transport = httpx2.ASGITransport(create_app(app.server))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post(route, json=request["json"], headers=request["headers"])


@pytest.mark.parametrize("case", ASKING, ids=lambda case: case["id"])
async def test_collected_request_is_answered_as_its_client_reads_it(case: dict[str, Any]) -> None:
    said = await ask(case)
    if case["id"] in NOT_SUPPORTED:
        assert said.status_code == 422
        return
    body = case["request"]["json"]
    is_tei = "texts" in body
    read = tei.read_reply if is_tei else READERS.get(case["dialect"], jina.read_reply)
    reply = read(Answer(said.status_code, said.content, dict(said.headers)))
    inner = body.get("data", body)
    documents = inner.get("documents", inner.get("texts"))
    assert len(reply.results) == min(inner.get("top_n", len(documents)), len(documents))
    assert reply.total_tokens > 0


SAME = [
    "jina.ok.v1.no_docs",
    "jina.ok.v1v2.string_docs_echo_string",
    "jina.ok.v1v2.object_docs_echo_object",
    "jina.ok.top_n_gt_len",
    "tei.ok",
    "llamacpp.ok.tei",
]


@pytest.mark.parametrize("name", SAME)
async def test_answer_has_the_fields_of_the_vendors(name: str) -> None:
    said = await ask(CASES[name])
    assert shape(said.json()) == shape(CASES[name]["response"]["json"])


async def test_answer_has_the_fields_of_sagemakers_but_for_the_usage_of_each_document() -> None:
    case = CASES["sagemaker.container.invocations"]
    said = await ask(case)
    expected = case["response"]["json"]
    for result in expected["data"][0]["results"]:
        result.pop("usage")  # tokens are counted for all documents together
    assert shape(said.json()) == shape(expected)


def shape(value: Any) -> Any:
    """Keep the names of fields and the types of values; a list is its first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return "number" if isinstance(value, int | float) else type(value).__name__


KEY = "0123456789abcdef"
LOCKED = Access(keys=read_keys(KEY))
WRONG = {"authorization": f"Bearer {KEY}x"}
BROKEN = FakeBackend(error=CheckpointError("damaged"))
LATE: dict[str, Any] = {"deadline": 0.001}
LOADING: dict[str, Any] = {"ready": False}
TEXTS = {"query": "q", "texts": ["a"]}
GOOD = body_of("/v1/rerank")
NO_QUERY = {"documents": ["a"]}

Situation = tuple[str, str, Any, dict[str, str], Backend | None, dict[str, Any]]
SITUATIONS: list[Situation] = [
    ("jina.err.401.missing", "/v1/rerank", GOOD, {}, None, {"access": LOCKED}),
    ("jina.err.401.invalid", "/v1/rerank", GOOD, WRONG, None, {"access": LOCKED}),
    (
        "jina.err.401.format",
        "/v1/rerank",
        GOOD,
        {"authorization": "Token x"},
        None,
        {"access": LOCKED},
    ),
    ("jina.err.503", "/v1/rerank", GOOD, {}, None, LOADING),
    ("jina.err.504", "/v1/rerank", GOOD, {}, Gate(shut=True), LATE),
    ("jina.err.500.nested", "/v1/rerank", GOOD, {}, BROKEN, {}),
    ("jina.err.422.empty_documents", "/v1/rerank", GOOD | {"documents": []}, {}, None, {}),
    ("jina.err.422.top_n_zero", "/v1/rerank", GOOD | {"top_n": 0}, {}, None, {}),
    ("jina.err.422.missing_query", "/v1/rerank", NO_QUERY, {}, None, {}),
    ("cohere.err.400", "/v2/rerank", GOOD | {"documents": []}, {}, None, {}),
    ("cohere.err.401", "/v2/rerank", GOOD, WRONG, None, {"access": LOCKED}),
    ("cohere.err.500", "/v2/rerank", GOOD, {}, BROKEN, {}),
    ("tei.err.empty", "/rerank", TEXTS | {"texts": []}, {}, None, {}),
    ("tei.err.batch", "/rerank", TEXTS | {"texts": ["a"] * 51}, {}, None, {}),
    ("tei.err.backend", "/rerank", TEXTS, {}, BROKEN, {}),
    ("tei.err.unhealthy", "/rerank", TEXTS, {}, None, LOADING),
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation[0])
async def test_error_is_the_vendors(situation: Situation) -> None:
    name, route, body, headers, backend, options = situation
    async with serving(*([] if backend is None else [backend]), **options) as app:
        said = await app.post(route, body, **headers)
    expected = CASES[name]["response"]
    wanted = expected["json"]
    for error in wanted.get("errors", []):
        error.pop("input", None)  # it would repeat what was sent
    assert said.status_code == expected["status"]
    assert shape(said.json()) == shape(wanted)
    answer = Answer(said.status_code, said.content, dict(said.headers))
    assert type(read_error(answer)).__name__ == CASES[name]["client_expect"]["exception"]
    if "code" in CASES[name]["client_expect"]:
        assert read_error(answer).code == CASES[name]["client_expect"]["code"]


async def test_unknown_endpoint_and_model_are_jinas_404() -> None:
    async with serving() as app:
        endpoint = await app.get("/nothing")
        model = await app.get("/v1/models/not-a-real-model")
    for said, name in (
        (endpoint, "jina.err.404.invalid_endpoint"),
        (model, "jina.err.404.model_nested"),
    ):
        assert said.status_code == 404
        assert shape(said.json()) == shape(CASES[name]["response"]["json"])


async def test_ping_of_a_container_is_as_sagemaker_has_it() -> None:
    expected = CASES["sagemaker.container.ping"]["response"]
    async with serving() as app:
        said = await app.get("/ping")
    assert (said.status_code, said.text) == (expected["status"], expected["text"])
