"""`backend="api"` over servers on loopback: dialects, the collected cases, splitting, what is sent."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank import (
    APIError,
    APIResponseError,
    APIStatusError,
    AuthenticationError,
    Backend,
    BadRequestError,
    MissingDependencyError,
    Reranker,
    ServerError,
)
from jina_rerank.backends.api import ApiBackend
from jina_rerank.settings import Settings
from jina_rerank.testing import BackendContract, Drop, FakeServer, RerankerContract, word_overlap
from jina_rerank.types import Ranking
from jina_rerank.wire.values import Answer

from .service_cases import (
    CASES,
    DOCUMENTS,
    QUERY,
    Ask,
    Ticks,
    answer_of,
    ask_async,
    ask_sync,
    make,
)
from .test_wire import DIALECTS, almost, json_values

KEY = "jina_0123456789abcdef0123456789abcdef"
KINDS = ["jina", "cohere", "tei", "vllm", "infinity", "llama.cpp"]
OF_CASES = {"cohere_v2": "cohere", "tei": "tei"}

both = pytest.mark.parametrize("ask", [ask_sync, ask_async], ids=["sync", "async"])


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


def rank_many(
    ask: Ask, reranker: Reranker, requests: list[tuple[str, list[str]]]
) -> list[Ranking[str]]:
    if ask is ask_sync:
        return reranker.rank_many(requests)
    return asyncio.run(reranker.arank_many(requests))


class TestBackend(BackendContract):
    @pytest.fixture
    def backend(self, server: FakeServer) -> Iterator[Backend]:
        with closing(ApiBackend(Settings(base_url=server.url))) as backend:
            yield backend


class TestReranker(RerankerContract):
    @pytest.fixture(params=KINDS)
    def reranker(self, request: pytest.FixtureRequest) -> Iterator[Reranker]:
        dialect = "cohere" if request.param == "cohere" else None
        with (
            FakeServer(request.param) as server,
            Reranker("turbo", base_url=server.url, dialect=dialect) as reranker,
        ):
            yield reranker


@both
@pytest.mark.parametrize(
    "case", [case for case in CASES if case["dialect"] in DIALECTS], ids=lambda case: case["id"]
)
def test_collected_case_becomes_its_ranking_or_error(case: dict[str, Any], ask: Ask) -> None:
    answer, expected = answer_of(case), case["client_expect"]
    kind = "tei" if case["id"] == "llamacpp.ok.tei" else OF_CASES.get(case["dialect"], "jina")
    with FakeServer(kind, faults=repeat(answer)) as server:
        ticks = Ticks()
        url = f"{server.url}/v2/rerank" if kind == "cohere" else f"{server.url}/v1/rerank"
        with make(url, ticks, dialect=kind, model="turbo") as reranker:
            if "missing" in expected or case["kind"] == "error":
                with pytest.raises(APIError) as caught:
                    ask(reranker, QUERY, DOCUMENTS)
                name = expected.get("exception", "APIResponseError")
                assert type(caught.value).__name__ == name
                tries = 3 if expected.get("retryable") else 1
                assert len(caught.value.attempts) == len(ticks.slept) + 1 == tries
                return
            documents = DOCUMENTS[: len(expected["indices"])]
            ranking = ask(reranker, QUERY, documents)
    assert [item.index for item in ranking] == expected["indices"]
    assert all(item.document is documents[item.index] for item in ranking)
    if "scores" in expected:
        assert [item.score for item in ranking] == expected["scores"]
    if "total_tokens" in expected:
        assert ranking.usage.total_tokens == expected["total_tokens"]
    if "json" in case["response"] and "model" in case["response"]["json"]:
        assert ranking.model == case["response"]["json"]["model"]


@both
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/rerank", "/rerank"])
def test_server_is_found_at_any_spelling_of_its_address(kind: str, path: str, ask: Ask) -> None:
    dialect = "cohere" if kind == "cohere" else None
    with (
        FakeServer(kind) as server,
        make(server.url.removeprefix("http://") + path, dialect=dialect) as reranker,
    ):
        assert ask(reranker, "red planet", ["blue sea", "a red planet"])[0].index == 1
        found = len(server.requests)
        ask(reranker, "red planet", ["blue sea", "a red planet"])
        assert len(server.requests) == found + 1


@both
def test_call_of_many_at_a_wrong_address_asks_each_route_once(ask: Ask) -> None:
    def fail(_: int) -> APIError:
        with pytest.raises(BadRequestError) as caught:
            ask(reranker, QUERY, DOCUMENTS)
        return caught.value

    with FakeServer("cohere") as server, make(server.url, max_concurrency=16) as reranker:
        with ThreadPoolExecutor(16) as pool:
            errors = list(pool.map(fail, range(16)))
        assert len(server.requests) <= 3 * 16
    assert {error.attempts for error in errors} == {("HTTP 404",)}


@both
def test_model_that_a_server_does_not_know_is_its_own_error(ask: Ask) -> None:
    with FakeServer("vllm", model="served") as server:
        with make(server.url, model="asked") as reranker:
            with pytest.raises(BadRequestError, match="The model `asked` does not exist") as caught:
                ask(reranker, QUERY, DOCUMENTS)
            assert caught.value.status == 404
        with make(server.url, model="served") as reranker:
            assert ask(reranker, QUERY, DOCUMENTS).model == "served"


@both
def test_long_list_is_split_and_merged_as_if_it_were_not(ask: Ask, server: FakeServer) -> None:
    documents = [f"red {'planet ' * (i % 3)}{i}" for i in range(10)]
    with (
        make(server.url, max_documents_per_request=4) as split,
        make(server.url) as whole,
    ):
        parts, one = ask(split, "red planet", documents), ask(whole, "red planet", documents)
    assert parts.results == one.results
    assert sorted(len(request.json["documents"]) for request in server.requests) == [2, 4, 4, 10]
    # The query is in each part.
    assert parts.usage.total_tokens == one.usage.total_tokens + 2 * 2


def test_split_and_merged_equals_unsplit() -> None:
    with (
        FakeServer("jina", scorer=lambda _, text: len(text) / 7) as server,
        make(server.url) as whole,
    ):

        @given(
            texts=st.lists(st.text("ab ", min_size=1), min_size=1, max_size=12),
            limit=st.integers(1, 12),
        )
        def ask(texts: list[str], limit: int) -> None:
            with make(server.url, max_documents_per_request=limit) as split:
                assert split.score("q", texts) == whole.score("q", texts)
                assert split.rank("q", texts).results == whole.rank("q", texts).results

        ask()


@both
def test_tei_is_asked_for_what_it_takes_by_default(ask: Ask) -> None:
    with FakeServer("tei") as server, make(server.url, dialect="tei") as reranker:
        assert len(ask(reranker, "red", ["a red sea"] * 33)) == 33
        assert sorted(len(request.json["texts"]) for request in server.requests) == [1, 32]
        assert {request.json["truncate"] for request in server.requests} == {True}


@both
@pytest.mark.parametrize("model", ["jina-reranker-v3", "jinaai/jina-reranker-v3"])
def test_listwise_model_is_not_split_without_leave(
    ask: Ask, server: FakeServer, model: str
) -> None:
    settings: dict[str, Any] = {"model": model, "max_documents_per_request": 2}
    with make(server.url, on_error="keep-order", **settings) as reranker:
        assert len(ask(reranker, QUERY, DOCUMENTS[:2])) == 2
        with pytest.raises(ValueError, match=r"3 do not fit one request of 2: .*split='allow'"):
            ask(reranker, QUERY, DOCUMENTS)
    with make(server.url, split="allow", **settings) as reranker:
        assert len(ask(reranker, QUERY, DOCUMENTS)) == 3


@both
def test_many_requests_keep_their_order(ask: Ask, server: FakeServer) -> None:
    requests = [(f"word{i}", [f"word{i}", "other"] * (i % 3 + 1)) for i in range(20)]
    with make(server.url, max_concurrency=4) as reranker:
        rankings = rank_many(ask, reranker, requests)
    assert [len(ranking) for ranking in rankings] == [len(texts) for _, texts in requests]
    assert all(
        ranking[0].document == query for ranking, (query, _) in zip(rankings, requests, strict=True)
    )
    assert server.busiest <= 4


@both
def test_first_failure_of_many_ends_the_call(ask: Ask) -> None:
    with (
        FakeServer("jina", faults=repeat(Answer(400, b"no"))) as server,
        make(server.url, max_concurrency=2) as reranker,
    ):
        with pytest.raises(BadRequestError):
            rank_many(ask, reranker, [(QUERY, DOCUMENTS)] * 100)
        assert len(server.requests) < 100


@both
def test_request_says_what_it_should_and_no_more(ask: Ask, server: FakeServer) -> None:
    with make(server.url, api_key=KEY, headers={"X-Team": "search"}) as reranker:
        ask(reranker, QUERY, DOCUMENTS)
    (request,) = server.requests
    assert request.json == {
        "model": "jina-reranker-v1-turbo-en",
        "query": QUERY,
        "documents": DOCUMENTS,
        "return_documents": False,
        "truncation": True,
    }
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "search"
    assert re.match(r"jina-rerank/[\d.]+ python/3[\d.]+$", request.headers["user-agent"])
    assert repr(request) == "Received(path='/v1/rerank')"


@pytest.mark.parametrize(
    ("model", "base_url", "sent"),
    [
        ("turbo", "https://api.jina.ai", "jina-reranker-v1-turbo-en"),
        ("turbo", "localhost", "jina-reranker-v1-turbo-en"),
        ("jinaai/jina-reranker-v1-turbo-en", "https://api.jina.ai", "jina-reranker-v1-turbo-en"),
        ("jinaai/jina-reranker-v1-turbo-en", "localhost", "jinaai/jina-reranker-v1-turbo-en"),
        ("jina-reranker-v9", "https://api.jina.ai", "jina-reranker-v9"),
        ("nano", "localhost", "nano"),
    ],
)
def test_model_is_sent_as_the_service_names_it(model: str, base_url: str, sent: str) -> None:
    settings = Settings(model=model, backend="api", base_url=base_url, api_key=KEY)
    assert ApiBackend(settings).identity().endswith(f" {sent}")


def test_identity_names_the_service_and_no_secret() -> None:
    settings = Settings(base_url="https://host/v1?a=b", api_key=KEY, dialect="cohere", model="m")
    assert ApiBackend(settings).identity() == "api https://host/v1?a=b cohere m"


def test_identity_tells_queries_of_an_address_apart() -> None:
    names = {
        ApiBackend(Settings(base_url=f"http://localhost:1/rerank?v={v}")).identity() for v in "12"
    }
    assert len(names) == 2


def test_cache_asks_once(server: FakeServer) -> None:
    with Reranker(base_url=server.url, cache=10) as reranker:
        assert reranker.score(QUERY, DOCUMENTS) == reranker.score(QUERY, DOCUMENTS)
    assert len(server.requests) == 1


@both
def test_progress_is_shown_on_request(
    ask: Ask, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm")
    with make(server.url, show_progress=True, max_documents_per_request=1) as reranker:
        ask(reranker, QUERY, DOCUMENTS)
    assert "3/3" in capsys.readouterr().err


@both
def test_key_of_the_server_is_wanted(ask: Ask) -> None:
    with FakeServer("jina", key=KEY) as server:
        with make(server.url, api_key=KEY) as reranker:
            assert len(ask(reranker, QUERY, DOCUMENTS)) == 3
        with make(server.url) as reranker, pytest.raises(AuthenticationError, match="got no key"):
            ask(reranker, QUERY, DOCUMENTS)
        with (
            make(server.url, api_key="jina_another") as reranker,
            pytest.raises(AuthenticationError, match="the key is not valid") as caught,
        ):
            ask(reranker, QUERY, DOCUMENTS)
        assert "jina_another" not in str(caught.value)


@both
def test_environment_key_does_not_leave_for_another_host(
    ask: Ask, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JINA_API_KEY", KEY)
    with make(server.url) as reranker:
        ask(reranker, QUERY, DOCUMENTS)
    assert "authorization" not in server.requests[0].headers


@both
def test_redirect_is_not_followed(ask: Ask, server: FakeServer) -> None:
    redirect = Answer(307, b"", {"location": f"{server.url}/v1/rerank"})
    with FakeServer("jina", faults=repeat(redirect)) as moved:
        with (
            make(moved.url, api_key=KEY) as reranker,
            pytest.raises(BadRequestError, match=r"redirects to http://127\.0\.0\.1:") as caught,
        ):
            ask(reranker, QUERY, DOCUMENTS)
        assert caught.value.status == 307
    assert server.requests == []


@both
@pytest.mark.parametrize("status", [400, 401, 403, 413, 422, 429, 500])
def test_error_repeats_neither_key_nor_query_nor_document(ask: Ask, status: int) -> None:
    secrets = [KEY, "a question of mine", "a document that nobody else may read"]
    said = [*secrets, f"bad value '{secrets[2][:20]}...'", f"Bearer {KEY}"]
    for text in said:
        bodies = [
            dict.fromkeys(["detail", "code", "request_id", "message", "id"], text),
            {"detail": [{"loc": ["body"], "msg": text, "input": secrets[2]}]},
            {"error": {"message": f"it was {text}", "type": text, "code": text}},
        ]
        for body in bodies:
            answer = Answer(status, json.dumps(body).encode(), {"x-request-id": text})
            with (
                FakeServer("jina", faults=repeat(answer)) as server,
                make(server.url, api_key=KEY) as reranker,
                pytest.raises(APIStatusError) as caught,
            ):
                ask(reranker, secrets[1], [secrets[2]])
            shown = f"{caught.value} {caught.value.__dict__} {reranker!r}"
            assert not any(secret in shown for secret in [*secrets, secrets[2][:20]])


@pytest.mark.parametrize("value", [almost, json_values])
def test_any_json_as_a_reply_is_a_ranking_or_a_typed_error(value: Any) -> None:
    body = Answer(200, b"")

    def bodies() -> Any:
        while True:
            yield body

    with FakeServer("jina", faults=bodies()) as server, make(server.url) as reranker:

        @given(value=value)
        def ask(value: Any) -> None:
            nonlocal body
            body = Answer(200, json.dumps(value).encode(), {"content-type": "application/json"})
            try:
                ranking = reranker.rank(QUERY, DOCUMENTS[:1])
            except APIResponseError:
                return
            assert len(ranking) == 1

        ask()


@both
@pytest.mark.parametrize("library", ["httpx2", "httpx"])
def test_client_that_is_given_is_used_and_left_open(
    ask: Ask, server: FakeServer, library: str
) -> None:
    module: Any = pytest.importorskip(library)
    with module.Client(headers={"x-own": "yes"}) as client:
        with make(server.url, http_client=client) as reranker:
            assert len(ask(reranker, QUERY, DOCUMENTS)) == 3
        assert not client.is_closed
        assert server.requests[0].headers["x-own"] == "yes"


@both
@pytest.mark.parametrize("library", ["httpx2", "httpx"])
def test_errors_of_a_given_client_are_ours(ask: Ask, library: str) -> None:
    module: Any = pytest.importorskip(library)
    ticks = Ticks()
    with (
        FakeServer("jina", faults=[Drop(), None]) as server,
        module.Client() as client,
        make(server.url, ticks, http_client=client, timeout=5.0) as reranker,
    ):
        assert len(ask(reranker, QUERY, DOCUMENTS)) == 3
    assert ticks.slept == [0.5]


async def test_async_client_that_is_given_serves_the_async_forms_alone(server: FakeServer) -> None:
    async with httpx2.AsyncClient() as client:
        with make(server.url, http_client=client) as reranker:
            assert len(await reranker.arank(QUERY, DOCUMENTS)) == 3
            with pytest.raises(ValueError, match="http_client is asynchronous: use arank"):
                reranker.rank(QUERY, DOCUMENTS)
        assert not client.is_closed


@pytest.mark.parametrize("client", [object(), 5, httpx2.Headers()])
def test_client_of_another_kind_is_refused(client: Any) -> None:
    with pytest.raises(TypeError, match="http_client must be a Client or AsyncClient of httpx2"):
        ApiBackend(Settings(base_url="localhost", http_client=client))


def test_ca_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in ("missing.pem", "ca.pem"):
        with (
            make("https://localhost:1", verify=tmp_path / path) as reranker,
            pytest.raises(ValueError, match="is no file of CA certificates"),
        ):
            reranker.rank(QUERY, DOCUMENTS)


@both
def test_failure_keeps_the_order_for_who_wants_that(ask: Ask) -> None:
    with (
        FakeServer("jina", faults=repeat(Answer(503, b"<html>"))) as server,
        make(server.url, on_error="keep-order") as reranker,
    ):
        ranking = ask(reranker, QUERY, DOCUMENTS)
    assert ranking.failed
    assert [item.index for item in ranking] == [0, 1, 2]


@both
def test_tei_that_ranks_nothing_is_not_asked_again(ask: Ask) -> None:
    answer = Answer(424, b'{"error":"model is not a re-ranker model","error_type":"Backend"}')
    with (
        FakeServer("tei", faults=repeat(answer)) as server,
        make(server.url, dialect="tei") as reranker,
        pytest.raises(ServerError, match="check that it is a reranker"),
    ):
        ask(reranker, QUERY, DOCUMENTS)
    assert len(server.requests) == 1


def test_scores_equal_the_servers_own(server: FakeServer) -> None:
    texts = ["red", "red planet", "sea"]
    with Reranker("turbo", base_url=server.url) as reranker:
        assert reranker.score("red planet", texts) == [
            word_overlap("red planet", text) for text in texts
        ]


def test_socks_proxy_without_its_library_names_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'httpx2\[socks\]'"):
        Reranker("turbo", base_url="https://rerank.example", api_key=KEY).score("red", ["sea"])


async def test_certificates_that_are_not_there_are_named_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    reranker = Reranker("turbo", base_url="https://rerank.example", api_key=KEY)
    with pytest.raises(ValueError, match="certificates cannot be loaded"):
        reranker.score("red", ["sea"])
    with pytest.raises(ValueError, match="certificates cannot be loaded"):
        await reranker.ascore("red", ["sea"])
