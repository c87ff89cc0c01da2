"""The routes that only tell, and what every answer has."""

import logging
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jina_rerank.testing import FakeBackend

from .application import body_of, serving
from .gate import Gate


async def test_ping_is_an_empty_200_once_the_models_are_loaded() -> None:
    async with serving() as app:
        said = await app.get("/ping")
    assert (said.status_code, said.content) == (200, b"")


async def test_probes_are_503_until_the_models_are_loaded() -> None:
    async with serving(ready=False) as app:
        ping, health = await app.get("/ping"), await app.get("/health")
    assert (ping.status_code, health.status_code) == (503, 503)
    assert health.json() == {"status": "loading", "ready": {"turbo": False}}


async def test_probes_are_503_while_the_server_stops_and_answers_close() -> None:
    async with serving() as app:
        app.server.stopping = True
        health = await app.get("/health")
        ranked = await app.post("/v1/rerank", body_of("/v1/rerank"))
    assert (health.status_code, health.json()["status"]) == (503, "stopping")
    assert ranked.status_code == 200
    assert ranked.headers["connection"] == "close"


async def test_probes_are_503_once_a_model_has_failed() -> None:
    async with serving() as app:
        (model,) = app.server.served
        model.batcher.failed = True
        ping, health = await app.get("/ping"), await app.get("/health")
    assert (ping.status_code, health.status_code) == (503, 503)
    assert health.json() == {"status": "failed", "ready": {"turbo": False}}


async def test_health_names_each_model() -> None:
    async with serving(FakeBackend(), FakeBackend()) as app:
        said = await app.get("/health")
    assert said.json() == {"status": "ok", "ready": {"turbo": True, "tiny": True}}


async def test_models_are_listed_in_their_order() -> None:
    async with serving(FakeBackend(), FakeBackend()) as app:
        said = await app.get("/v1/models")
    assert [model["id"] for model in said.json()["data"]] == [
        "jina-reranker-v1-turbo-en",
        "jina-reranker-v1-tiny-en",
    ]
    assert {model["object"] for model in said.json()["data"]} == {"model"}


async def test_models_are_503_until_they_are_loaded() -> None:
    async with serving(ready=False) as app:
        said = await app.get("/v1/models")
    assert said.status_code == 503


@pytest.mark.parametrize("name", ["turbo", "jinaai/jina-reranker-v1-turbo-en"])
async def test_model_is_described_by_each_of_its_names(name: str) -> None:
    async with serving() as app:
        said = await app.get(f"/v1/models/{name}")
    assert said.json()["name"] == "turbo"


@pytest.mark.parametrize("name", ["turbo", "nobody/nothing", "a/b/c"])
async def test_model_of_any_name_is_counted_under_the_route_of_models(name: str) -> None:
    async with serving() as app:
        await app.get(f"/v1/models/{name}")
        said = await app.get("/metrics")
    assert re.findall(r'requests_total{.*route="([^"]*)"', said.text) == ["/v1/models"]


async def test_unknown_model_is_404() -> None:
    async with serving() as app:
        said = await app.get("/v1/models/nothing")
    assert said.status_code == 404
    assert said.json()["detail"]["code"] == "RESOURCE_NOT_FOUND"


async def test_metrics_count_requests_by_route_model_and_status() -> None:
    async with serving() as app:
        await app.post("/v1/rerank", body_of("/v1/rerank"))
        await app.post("/v1/rerank", b"{")
        said = await app.get("/metrics")
    found = {
        (sample.labels["route"], sample.labels["model"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(said.text)
        for sample in family.samples
        if sample.name == "jina_rerank_requests_total"
    }
    assert found == {("/v1/rerank", "turbo", "200"): 1, ("/v1/rerank", "", "422"): 1}
    assert 'jina_rerank_errors_total{kind="invalid",route="/v1/rerank"} 1.0' in said.text


@pytest.mark.parametrize("path", ["/secret", "/v1/rerank/", "/v1/rerank/secret", "/v1"])
async def test_unknown_path_is_404_in_jinas_envelope(path: str) -> None:
    async with serving() as app:
        said = await app.get(path)
    assert said.status_code == 404
    assert said.json()["detail"] == "Invalid endpoint"
    assert said.json()["request_id"] == said.headers["x-request-id"]


async def test_unknown_path_and_method_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "jina_rerank_server")
    async with serving() as app:
        await app.client.request("SECRET", "/secret/secret")
    (record,) = caplog.records
    assert "secret" not in str(record.__dict__).lower()


async def test_wrong_method_is_405_and_says_which_is_right() -> None:
    async with serving() as app:
        said = await app.get("/v1/rerank")
        coheres = await app.get("/v2/rerank")
    assert (said.status_code, said.headers["allow"]) == (405, "POST")
    assert coheres.json()["message"] == "Method Not Allowed"


async def test_error_of_a_head_request_has_no_body() -> None:
    async with serving() as app:
        said = await app.client.head("/health")
    assert said.status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/models", "/nothing"])
async def test_every_answer_has_the_headers_of_a_careful_server(path: str) -> None:
    async with serving() as app:
        said = await app.get(path)
    assert said.headers["content-security-policy"].startswith("default-src 'self';")
    assert said.headers["x-content-type-options"] == "nosniff"
    assert said.headers["referrer-policy"] == "no-referrer"
    assert "server" not in said.headers


async def test_request_id_is_new_for_each_request() -> None:
    async with serving() as app:
        one, other = await app.get("/ping"), await app.get("/ping")
    assert re.fullmatch("[0-9a-f]{32}", one.headers["x-request-id"])
    assert one.headers["x-request-id"] != other.headers["x-request-id"]


async def test_request_id_of_a_proxy_is_taken_over() -> None:
    given = "07734bd2-2473-4f07-94e1-0d9f0e6843cf"
    async with serving() as app:
        said = await app.get("/nothing", x_request_id=given)
    assert said.headers["x-request-id"] == said.json()["request_id"] == given


@pytest.mark.parametrize("given", ["a secret text of mine", "jina_0123456789abcdef", "12"])
async def test_request_id_that_could_be_anything_is_replaced(given: str) -> None:
    async with serving() as app:
        said = await app.get("/ping", x_request_id=given)
    assert said.headers["x-request-id"] != given


async def test_probe_that_succeeds_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jina_rerank_server")
    async with serving() as app:
        await app.get("/ping")
        await app.get("/metrics")
    assert caplog.records == []


async def test_requests_in_flight_are_counted() -> None:
    gate = Gate(shut=True)
    async with serving(gate, deadline=0.05) as app:
        await app.post("/v1/rerank", body_of("/v1/rerank"))
        assert app.server.metrics.in_flight._value.get() == 0


async def test_page_and_its_files_are_served() -> None:
    async with serving() as app:
        index, script = await app.get("/"), await app.get("/page/script.js")
        missing, outside = await app.get("/page/nothing.js"), await app.get("/page/..%2fapp.py")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert script.headers["content-type"].startswith("text/javascript")
    assert (missing.status_code, outside.status_code) == (404, 404)


async def test_docs_name_every_route() -> None:
    async with serving() as app:
        page = await app.get("/docs")
        description = (await app.get("/openapi.json")).json()
        style = await app.get("/docs/style.css")
    assert style.headers["content-type"].startswith("text/css")
    for path in description["paths"]:
        assert f"<code>{path}</code>" in page.text


async def test_docs_load_nothing_from_elsewhere() -> None:
    async with serving() as app:
        page = await app.get("/docs")
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page.text) == []
    assert "<script" not in page.text
    assert "style=" not in page.text
