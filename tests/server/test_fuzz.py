"""Anything may be sent to any route: never a 500, never a hang, always what /openapi.json says."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from jina_rerank_server.openapi import describe
from jina_rerank_server.running import Runner, bind
from schemathesis.specs.openapi.checks import positive_data_acceptance

from jina_rerank.testing import FakeBackend

from .application import ROUTES, serving

LARGEST = 100_000

FEW = settings(max_examples=40)
"""Examples of each test: more search longer, and these take seconds."""

text = st.text(st.characters(codec="utf-8")) | st.sampled_from(["", " ", "turbo", "\ufeff", "\0"])
leaf = st.none() | st.booleans() | st.integers() | st.floats() | text | st.just("\ud800")
anything = st.recursive(
    leaf, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=8
)
document = text | st.fixed_dictionaries({"text": text}, optional={"id": anything}) | anything
NAMES = {
    "query": text | anything,
    "documents": st.lists(document) | anything,
    "texts": st.lists(text) | anything,
    "data": anything,
    "model": st.sampled_from(["turbo", "x"]) | anything,
    "top_n": st.integers(-1, 3) | anything,
    "top_k": anything,
    "return_documents": anything,
    "return_text": anything,
    "truncation": anything,
    "truncate": anything,
    "raw_scores": anything,
}
fields = st.fixed_dictionaries({}, optional=NAMES)
bodies = fields | st.fixed_dictionaries({"data": fields | st.lists(fields)}) | anything


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server on a port of this machine, in a thread."""
    listener = bind("127.0.0.1", 0)
    started, over = threading.Event(), threading.Event()

    async def serve() -> None:
        backends = FakeBackend(), FakeBackend()
        async with serving(*backends, largest=LARGEST, queue_size=10_000) as app:
            runner = Runner(app.server)
            running = asyncio.create_task(runner.serve([listener]))
            started.set()
            await asyncio.to_thread(over.wait)
            runner.should_exit = True
            await running

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait(60)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    over.set()
    thread.join()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=30) as client:
        yield client


DESCRIPTION = describe(["jina-reranker-v1-turbo-en", "jina-reranker-v1-tiny-en"])
API = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS = [
    (path, method.upper()) for path, methods in DESCRIPTION["paths"].items() for method in methods
]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@FEW
@given(data=st.data())
def test_api_does_what_its_description_says(
    url: str, path: str, method: str, data: st.DataObject
) -> None:
    case = data.draw(API[path][method].as_strategy())
    # No schema says which texts are CSV.
    is_csv = case.media_type == "text/csv"
    excluded: list[Any] = [positive_data_acceptance] if is_csv else []
    case.call_and_validate(base_url=url, timeout=30, excluded_checks=excluded)


@pytest.mark.parametrize("route", ROUTES)
@FEW
@given(body=bodies)
def test_any_json_is_answered_or_refused(client: httpx2.Client, route: str, body: Any) -> None:
    said = client.post(route, content=json.dumps(body))
    assert said.status_code in {200, 400, 404, 422}
    said.json()


@pytest.mark.parametrize("kind", ["application/json", "text/csv"])
@pytest.mark.parametrize("route", ROUTES)
@FEW
@given(body=st.binary())
def test_any_bytes_are_refused(client: httpx2.Client, route: str, kind: str, body: bytes) -> None:
    said = client.post(route, content=body, headers={"content-type": kind})
    assert said.status_code in {400, 422}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "q", "documents": ["\xff\xfe"]}',
        b'{"query": "q", "documents": ["\xed\xa0\x80"]}',
        '{"query": "q", "documents": ["a"]'.encode("utf-16"),
        b"[" * 90_000,
        b'{"a":' * 15_000,
        b'{"query": "q", "top_n": 1' + b"0" * 50_000 + b"}",
        b'{"query": "q", "documents": [' + b'"a",' * 20_000 + b'"a"]}',
    ],
    ids=["utf-8", "surrogate", "utf-16", "lists", "objects", "number", "documents"],
)
def test_hostile_body_is_refused(client: httpx2.Client, route: str, body: bytes) -> None:
    assert client.post(route, content=body).status_code in {400, 422}


@pytest.mark.parametrize("route", ROUTES)
def test_body_of_50_megabytes_is_refused(client: httpx2.Client, route: str) -> None:
    assert client.post(route, content=b" " * 50_000_000).status_code == 413


PATH = st.text("abz/.-_~!$&'()*+,;=:@%25%2f?0", max_size=20)


@FEW
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]),
    path=PATH,
    headers=st.dictionaries(
        st.sampled_from(
            ["host", "origin", "authorization", "x-request-id", "content-encoding", "content-type"]
        ),
        st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"])),
    ),
)
def test_any_head_is_answered(
    client: httpx2.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    target = httpx2.URL(str(client.base_url), raw_path=f"/{path}".encode())
    said = client.request(method, target, headers=encoded)
    assert said.status_code < 500
