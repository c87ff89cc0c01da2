"""Every route: its format, its order, its limits, its refusals."""

import asyncio
import gc
import logging
from typing import Any

import pytest
from jina_rerank_server import rerank

from jina_rerank import CheckpointError, Reranker
from jina_rerank.testing import FakeBackend
from jina_rerank.wire import cohere, jina, sagemaker, tei
from jina_rerank.wire.values import Answer

from .application import BEST, DOCUMENTS, QUERY, ROUTES, body_of, eventually, serving
from .gate import Gate

TEXTS = {"query": QUERY, "texts": DOCUMENTS}
READERS = {
    "/v1/rerank": jina.read_reply,
    "/v2/rerank": cohere.read_reply,
    "/rerank": jina.read_reply,
    "/invocations": sagemaker.read_reply,
}


@pytest.mark.parametrize("route", ROUTES)
async def test_request_gets_the_engines_order_and_scores(route: str) -> None:
    async with serving() as app:
        said = await app.post(route, body_of(route))
    reply = READERS[route](Answer(said.status_code, said.content, dict(said.headers)))
    ranking = Reranker(backend=FakeBackend()).rank(QUERY, DOCUMENTS)
    assert [result.index for result in reply.results] == [item.index for item in ranking]
    assert [result.score for result in reply.results] == pytest.approx(
        [item.score for item in ranking], abs=1e-8
    )
    assert reply.total_tokens == ranking.usage.total_tokens


@pytest.mark.parametrize("route", ["/rerank", "/invocations"])
async def test_texts_get_the_answer_of_tei(route: str) -> None:
    async with serving() as app:
        said = await app.post(route, TEXTS | {"return_text": True})
    reply = tei.read_reply(Answer(200, said.content, dict(said.headers)))
    assert [result.index for result in reply.results] == BEST
    assert said.json()[0]["text"] == DOCUMENTS[BEST[0]]
    assert reply.total_tokens > 0


async def test_documents_on_invocations_get_the_answer_of_jina() -> None:
    async with serving() as app:
        said = await app.post("/invocations", body_of("/v1/rerank"))
    assert said.json()["object"] == "list"


async def test_score_of_jina_has_8_decimals() -> None:
    async with serving(FakeBackend(lambda *_: 1 / 3)) as app:
        jinas = await app.post("/v1/rerank", body_of("/v1/rerank"))
        coheres = await app.post("/v2/rerank", body_of("/v2/rerank"))
    assert jinas.json()["results"][0]["relevance_score"] == 0.33333333
    assert coheres.json()["results"][0]["relevance_score"] == 1 / 3


async def test_scores_equal_once_rounded_keep_their_order() -> None:
    scores = {"a": 0.5, "b": 0.500000001}
    async with serving(FakeBackend(lambda _, text: scores[text])) as app:
        said = await app.post("/v1/rerank", {"query": "q", "documents": ["a", "b"]})
    assert [result["index"] for result in said.json()["results"]] == [1, 0]


async def test_ties_keep_the_order_of_the_request() -> None:
    async with serving(FakeBackend(lambda *_: 0.5)) as app:
        said = await app.post("/v1/rerank", {"query": "q", "documents": ["a", "b", "c"]})
    assert [result["index"] for result in said.json()["results"]] == [0, 1, 2]


async def test_blank_documents_come_last_with_score_0() -> None:
    async with serving(FakeBackend(lambda *_: -1.0)) as app:
        said = await app.post("/v1/rerank", {"query": "q", "documents": [" ", "a", ""]})
    results = [(result["index"], result["relevance_score"]) for result in said.json()["results"]]
    assert results == [(1, -1.0), (0, 0.0), (2, 0.0)]


@pytest.mark.parametrize("documents", [DOCUMENTS, [{"text": t, "id": 7} for t in DOCUMENTS]])
async def test_documents_come_back_as_they_were_sent(documents: list[Any]) -> None:
    async with serving() as app:
        said = await app.post("/v1/rerank", {"query": QUERY, "documents": documents, "top_n": 1})
    (result,) = said.json()["results"]
    assert result["document"] == documents[BEST[0]]


@pytest.mark.parametrize("documents", [DOCUMENTS, [{"text": t, "id": 7} for t in DOCUMENTS]])
async def test_documents_come_back_from_sagemaker_as_they_were_sent(documents: list[Any]) -> None:
    async with serving() as app:
        said = await app.post("/invocations", {"data": {"query": QUERY, "documents": documents}})
    results = said.json()["data"][0]["results"]
    assert [result["document"] for result in results] == [documents[i] for i in BEST]


async def test_documents_that_are_not_wanted_are_left_out() -> None:
    async with serving() as app:
        jinas = await app.post("/v1/rerank", body_of("/v1/rerank", return_documents=False))
        data = await app.post("/invocations", body_of("/invocations", return_documents=False))
    for results in (jinas.json()["results"], data.json()["data"][0]["results"]):
        assert len(results) == len(DOCUMENTS)
        assert all("document" not in result for result in results)


@pytest.mark.parametrize(
    "name", ["tiny", "jina-reranker-v1-tiny-en", "jinaai/jina-reranker-v1-tiny-en"]
)
async def test_model_is_found_by_each_of_its_names(name: str) -> None:
    turbo, tiny = FakeBackend(), FakeBackend()
    async with serving(turbo, tiny) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank", model=name))
    assert said.json()["model"] == "jina-reranker-v1-tiny-en"
    assert len(tiny.requests) == 1
    assert turbo.requests == []


async def test_request_without_a_model_goes_to_the_first() -> None:
    turbo, tiny = FakeBackend(), FakeBackend()
    async with serving(turbo, tiny) as app:
        await app.post("/v1/rerank", body_of("/v1/rerank"))
    assert (len(turbo.requests), len(tiny.requests)) == (1, 0)


async def test_unknown_model_is_refused_as_each_vendor_does() -> None:
    async with serving() as app:
        jinas = await app.post("/v1/rerank", body_of("/v1/rerank", model="secret-project"))
        coheres = await app.post("/v2/rerank", body_of("/v2/rerank", model="secret-project"))
    assert jinas.status_code == 400
    assert jinas.json()["detail"]["code"] == "INPUT_MODEL_NOT_FOUND"
    assert coheres.status_code == 404
    assert "jina-reranker-v1-turbo-en" in coheres.json()["message"]
    assert "secret-project" not in jinas.text + coheres.text


async def test_invalid_body_is_refused_in_jinas_envelope() -> None:
    async with serving() as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank", top_n=0))
    assert said.status_code == 422
    assert said.json()["errors"][0]["field"] == "body -> top_n"
    assert said.json()["request_id"] == said.headers["x-request-id"]


async def test_invalid_body_is_refused_in_coheres_envelope() -> None:
    async with serving() as app:
        said = await app.post("/v2/rerank", body_of("/v2/rerank", top_n=0))
        broken = await app.post("/v2/rerank", b"{")
    assert said.status_code == 400
    assert said.json()["message"].startswith("invalid request: top_n: ")
    assert said.json()["id"] == said.headers["x-request-id"]
    assert broken.json()["message"] == "invalid request: JSON decode error"


async def test_invalid_body_is_refused_in_teis_envelope() -> None:
    async with serving() as app:
        wrong = await app.post("/rerank", {"texts": ["a"]})
        empty = await app.post("/rerank", {"query": "q", "texts": []})
    assert (wrong.status_code, wrong.json()["error_type"]) == (422, "Validation")
    assert wrong.json()["error"].startswith("query: ")
    assert (empty.status_code, empty.json()["error_type"]) == (400, "Empty")


async def test_body_of_nothing_known_is_refused_in_the_routes_own_envelope() -> None:
    async with serving() as app:
        said = await app.post("/invocations", {"inputs": "x"})
    assert said.status_code == 422
    assert said.json()["errors"][0]["field"] == "body -> data"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("query", [" \n", ""])
async def test_blank_query_is_refused(route: str, query: str) -> None:
    body = body_of(route)
    body = {"data": body["data"] | {"query": query}} if "data" in body else body | {"query": query}
    async with serving() as app:
        said = await app.post(route, body)
    assert said.status_code == (400 if route == "/v2/rerank" else 422)
    assert "query" in said.text


@pytest.mark.parametrize(
    ("route", "field", "status"),
    [("/v1/rerank", "documents", 422), ("/v2/rerank", "documents", 400), ("/rerank", "texts", 422)],
)
async def test_too_many_documents_are_refused(route: str, field: str, status: int) -> None:
    async with serving(documents=2) as app:
        said = await app.post(route, {"query": "q", field: ["a", "b", "c"]})
    assert said.status_code == status
    assert f"{field}" in said.text
    assert "at most 2 items" in said.text


async def test_full_queue_is_429_with_the_time_to_come_again() -> None:
    gate = Gate(shut=True)
    async with serving(gate, queue_size=3) as app:
        first = asyncio.create_task(app.post("/v1/rerank", body_of("/v1/rerank")))
        await gate.entered()
        second = asyncio.create_task(app.post("/v1/rerank", body_of("/v1/rerank")))
        await eventually(app.server.metrics.queue.labels("turbo")._value.get)
        refused = {route: await app.post(route, body_of(route)) for route in ROUTES}
        gate.stay_open()
        assert {(await first).status_code, (await second).status_code} == {200}
    assert {said.status_code for said in refused.values()} == {429}
    assert {said.headers["retry-after"] for said in refused.values()} == {"1"}
    assert {said.headers["retry-after-ms"] for said in refused.values()} == {"1000"}
    assert refused["/v1/rerank"].json()["code"] == "RATE_CONCURRENCY_LIMIT_EXCEEDED"


async def test_deadline_is_504_and_cancels_what_waits() -> None:
    gate = Gate(shut=True)
    async with serving(gate, deadline=0.01) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank"))
        assert said.status_code == 504
        assert said.json()["code"] == "SERVICE_TIMEOUT"
        assert app.server.metrics.cancelled.labels("turbo")._value.get() == 1


async def test_timeout_of_the_backend_is_no_deadline() -> None:
    async with serving(FakeBackend(error=TimeoutError())) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank"))
    assert said.status_code == 500


@pytest.mark.parametrize("route", ROUTES)
async def test_request_before_the_model_is_loaded_is_503(route: str) -> None:
    async with serving(ready=False) as app:
        said = await app.post(route, body_of(route))
    assert said.status_code == 503
    assert said.headers["retry-after"] == "1"


async def test_failing_model_is_500_and_its_reason_is_in_the_log_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(FakeBackend(error=CheckpointError("the weights are damaged"))) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank"))
        teis = await app.post("/rerank", TEXTS)
    assert said.status_code == 500
    assert said.json()["detail"]["code"] == "INTERNAL_ERROR"
    assert (teis.status_code, teis.json()["error_type"]) == (424, "Backend")
    assert "damaged" not in said.text
    assert "CheckpointError: the weights are damaged" in caplog.text


async def test_unexpected_error_is_500_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(FakeBackend(error=KeyError("a document's text"))) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank"))
    assert said.status_code == 500
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "unexpected KeyError"


async def test_value_error_of_a_request_that_allows_truncation_is_500() -> None:
    async with serving(FakeBackend(error=ValueError("x"))) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank"))
    assert said.status_code == 500


async def test_text_that_is_too_long_without_truncation_is_refused() -> None:
    async with serving(FakeBackend(error=ValueError("too long"))) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank", truncation=False))
        teis = await app.post("/rerank", TEXTS | {"truncate": False})
    assert said.status_code == 400
    assert said.json()["detail"]["code"] == "INPUT_TOKEN_LIMIT_EXCEEDED"
    assert (teis.status_code, teis.json()["error_type"]) == (422, "Tokenizer")


CSV = (
    b'1,where is the dog,[{\\"text\\": \\"hello\\"}\\, {\\"text\\": \\"the dog is here\\"}],1\n'
    b'2,hello,[{\\"text\\": \\"hello\\"}]\n'
)


async def test_rows_of_a_batch_transform_are_answered_in_their_order() -> None:
    async with serving() as app:
        said = await app.post("/invocations", CSV, content_type="text/csv; charset=utf-8")
    assert [entry["id"] for entry in said.json()["data"]] == ["1", "2"]
    assert [len(entry["results"]) for entry in said.json()["data"]] == [1, 1]
    assert said.json()["data"][0]["results"][0]["document"] == {"text": "the dog is here"}


@pytest.mark.parametrize("body", [b"", b"1,q\n", b"\xff", b'1, ,[{\\"text\\": \\"a\\"}]'])
async def test_rows_that_cannot_be_read_are_refused(body: bytes) -> None:
    async with serving() as app:
        said = await app.post("/invocations", body, content_type="text/csv")
    assert said.status_code == 422


async def test_reading_many_rows_lets_others_have_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerank, "PIECE", -1.0)
    body = CSV * 100 + b"1,q"
    async with serving() as app:
        asked = asyncio.ensure_future(app.post("/invocations", body, content_type="text/csv"))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0)
            turns += 1
    assert "row 201" in asked.result().text
    assert turns >= 200


async def test_row_of_too_many_documents_is_refused() -> None:
    async with serving(documents=1) as app:
        said = await app.post("/invocations", CSV, content_type="text/csv")
    assert said.status_code == 422
    assert "row 1" in said.text
    assert "at most 1 items" in said.text


async def test_rows_that_take_too_long_are_504() -> None:
    async with serving(Gate(shut=True), deadline=0.01) as app:
        said = await app.post("/invocations", CSV * 100, content_type="text/csv")
    assert said.status_code == 504


async def test_csv_on_another_route_is_no_batch_transform() -> None:
    async with serving() as app:
        said = await app.post("/v1/rerank", CSV, content_type="text/csv")
    assert said.status_code == 422


async def test_row_of_a_failing_model_fails_the_batch() -> None:
    async with serving(FakeBackend(error=CheckpointError("damaged"))) as app:
        said = await app.post("/invocations", CSV, content_type="text/csv")
    assert said.status_code == 500


@pytest.mark.parametrize(
    "document",
    [
        '{"text": "a", "x": NaN}',
        '{"text": "a", "x": 1e999}',
        '{"text": "a", "x": "\\ud800"}',
        '{"text": "a", "x": ' + "[" * 500 + "]" * 500 + "}",
        '{"text": "a", "x": ' + "[" * 9000 + "]" * 9000 + "}",
        '{"text": "\\ud800"}',
        '"\\ud800"',
    ],
    ids=["nan", "infinite", "surrogate", "deep", "deeper", "object", "text"],
)
async def test_document_that_no_answer_can_hold_is_refused_before_it_is_scored(
    document: str,
) -> None:
    backend = FakeBackend()
    body = f'{{"query": "q", "documents": [{document}]}}'.encode()
    async with serving(backend) as app:
        said = await app.post("/v1/rerank", body)
    assert said.status_code == 422
    assert backend.requests == []


async def test_request_is_logged_without_its_texts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "jina_rerank_server")
    async with serving() as app:
        await app.post("/v1/rerank?q=dog", body_of("/v1/rerank"))
    (record,) = [record for record in caplog.records if record.getMessage() == "request"]
    facts = record.__dict__["facts"]
    assert facts["status"] == 200
    assert facts["documents"] == len(DOCUMENTS)
    assert facts["model"] == "turbo"
    assert "dog" not in str(record.__dict__)


async def test_garbage_is_collected_again_once_a_body_is_read() -> None:
    async with serving() as app:
        for body in (body_of("/v1/rerank"), b"{"):
            await app.post("/v1/rerank", body)
            assert gc.isenabled()
