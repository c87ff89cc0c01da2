"""Addresses in every spelling, and what is tried there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank.address import Address, Route
from jina_rerank.errors import BadRequestError
from jina_rerank.http.routes import ElsewhereError, Routes
from jina_rerank.wire.failure import read_error
from jina_rerank.wire.values import Answer


def urls(base_url: str, dialect: str | None = None) -> list[str]:
    return [f"{route.dialect} {route.url}" for route in Address.of(base_url).routes(dialect)]


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.jina.ai",
        "https://api.jina.ai/",
        "https://api.jina.ai/v1",
        " https://api.jina.ai/v1/ ",
        "https://api.jina.ai/v1/rerank",
        "api.jina.ai/v1",
        "HTTPS://API.Jina.ai/v1",
    ],
)
def test_any_spelling_of_jinas_address_is_its_endpoint(base_url: str) -> None:
    assert urls(base_url) == ["jina https://api.jina.ai/v1/rerank"]
    assert Address.of(base_url).is_jina


@pytest.mark.parametrize("base_url", ["https://api.cohere.com", "https://api.cohere.com/v2"])
def test_coheres_address_speaks_its_dialect(base_url: str) -> None:
    assert urls(base_url) == ["cohere https://api.cohere.com/v2/rerank"]


@pytest.mark.parametrize(
    ("base_url", "dialect", "expected"),
    [
        ("localhost:8080", None, ["jina /v1/rerank", "jina /rerank", "tei /rerank"]),
        ("localhost:8080", "jina", ["jina /v1/rerank", "jina /rerank"]),
        ("localhost:8080", "tei", ["tei /rerank"]),
        ("localhost:8080", "cohere", ["cohere /v2/rerank"]),
        (
            "localhost:8080/v1",
            None,
            ["jina /v1/rerank", "jina /rerank", "tei /v1/rerank", "tei /rerank"],
        ),
        ("localhost:8080/v2", None, ["cohere /v2/rerank"]),
        ("localhost:8080/v2/rerank", None, ["cohere /v2/rerank"]),
        ("localhost:8080/v1", "cohere", ["cohere /v1/rerank", "cohere /v2/rerank"]),
        ("localhost:8080/rerank", None, ["jina /rerank", "jina /v1/rerank", "tei /rerank"]),
        ("localhost:8080/gw/rerank", "jina", ["jina /gw/rerank", "jina /gw/v1/rerank"]),
        ("localhost:8080/gw", "jina", ["jina /gw/rerank", "jina /gw/v1/rerank"]),
        ("localhost:8080/gw/v1", "jina", ["jina /gw/v1/rerank", "jina /gw/rerank"]),
        (
            "localhost:8080/v1/reranks",
            "jina",
            ["jina /v1/reranks", "jina /v1/rerank", "jina /rerank"],
        ),
        ("localhost:8080/score?api-version=2", "jina", ["jina /score?api-version=2"]),
        ("localhost:8080/invocations", "tei", ["tei /invocations"]),
    ],
)
def test_address_is_tried_where_servers_are(
    base_url: str, dialect: str | None, expected: list[str]
) -> None:
    origin = " http://localhost:8080/"
    assert [url.replace(origin, " /") for url in urls(base_url, dialect)] == expected


@pytest.mark.parametrize(
    ("base_url", "scheme"),
    [
        ("localhost:8080", "http"),
        ("my.localhost", "http"),
        ("127.0.0.2:80/v1", "http"),
        ("[::1]:8080", "http"),
        ("rerank.example.com", "https"),
        ("192.168.0.7:8080", "https"),
    ],
)
def test_address_without_a_scheme_is_http_on_this_machine_alone(base_url: str, scheme: str) -> None:
    assert Address.of(base_url).scheme == scheme


@pytest.mark.parametrize(
    ("base_url", "keeps"),
    [
        ("http://localhost:8080", True),
        ("http://[::1]", True),
        ("http://127.0.0.1", True),
        ("https://example.com", True),
        ("http://example.com", False),
        ("http://localhost.example.com", False),
        ("http://192.168.0.7", False),
        ("http://api.jina.ai", False),
    ],
)
def test_address_keeps_secrets_over_tls_or_on_this_machine(base_url: str, *, keeps: bool) -> None:
    assert Address.of(base_url).keeps_secrets is keeps


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.jina.ai",
        "https://jina.ai.example.com",
        "https://notjina.ai",
        "https://jina.ai@x.org",
    ],
)
def test_address_that_looks_like_jinas_is_none_of_theirs(base_url: str) -> None:
    try:
        address = Address.of(base_url)
    except ValueError as error:
        assert "user or password" in str(error)  # noqa: PT017 - one of them does
        return
    assert not address.is_jina


@pytest.mark.parametrize("base_url", ["https://jina.ai/v1", "https://eu.api.jina.ai"])
def test_host_of_jina_is_theirs(base_url: str) -> None:
    assert Address.of(base_url).is_jina


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "  ",
        "https://",
        "ftp://host",
        "http://host:port",
        "http://host:0",
        "http://[::1",
        "a b",
        "http://host/#part",
        "http://ho\\st",
        "http://host/a\nb",
        "http://a..b",
        f"http://{'x' * 70}.example",
        "://",
    ],
)
def test_what_is_no_address_is_refused_with_examples(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url must be an address like"):
        Address.of(base_url)


@pytest.mark.parametrize(
    ("base_url", "named"),
    [
        ("https://user:hush@host", "user or password"),
        ("user@host", "user or password"),
        ("https://host/v1?api_key=hush", "'api_key'"),
        ("https://host/v1?version=1&X-Token=hush", "'X-Token'"),
    ],
)
def test_address_with_a_secret_is_refused_without_it(base_url: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        Address.of(base_url)
    assert "hush" not in str(caught.value)


@given(base_url=st.text())
def test_any_text_is_an_address_or_refused(base_url: str) -> None:
    try:
        address = Address.of(base_url)
    except ValueError as error:
        assert "base_url must" in str(error)  # noqa: PT017 - most are
        return
    assert all(route.url.startswith(f"{address.scheme}://") for route in address.routes())


def test_address_reads_as_a_url_without_its_query() -> None:
    assert str(Address.of("Localhost:8080/v1/?a=b")) == "http://localhost:8080/v1"


FIRST, SECOND = Route("jina", "http://h/v1/rerank"), Route("tei", "http://h/rerank")


def elsewhere(text: str) -> ElsewhereError:
    return ElsewhereError(read_error(Answer(404, text.encode())))


def is_elsewhere(routes: Routes, route: Route, status: int, body: bytes = b"") -> bool:
    answer = Answer(status, body)
    return isinstance(routes.check(route, answer, read_error(answer)), ElsewhereError)


def test_route_that_is_not_there_gives_way_to_the_next() -> None:
    search = Routes([FIRST, SECOND]).search()
    assert search.current == FIRST
    search.missed(elsewhere("first"))
    assert search.current == SECOND


def test_call_is_not_sent_on_by_what_another_missed() -> None:
    routes = Routes([FIRST, SECOND])
    routes.search().missed(elsewhere("another call's"))
    assert routes.search().current == FIRST


def test_last_route_that_is_not_there_raises_the_first_error() -> None:
    search = Routes([FIRST, SECOND]).search()
    search.missed(elsewhere("first"))
    search.missed(elsewhere("second"))
    with pytest.raises(BadRequestError, match="first") as caught:
        _ = search.current
    assert not isinstance(caught.value, ElsewhereError)


def test_route_that_answered_is_kept() -> None:
    routes = Routes([FIRST, SECOND])
    routes.stay(SECOND)
    routes.stay(FIRST)
    assert routes.search().current == SECOND
    assert not is_elsewhere(routes, SECOND, 404)


def test_call_that_missed_every_route_goes_where_another_was_answered() -> None:
    routes = Routes([FIRST, SECOND])
    search = routes.search()
    search.missed(elsewhere("first"))
    search.missed(elsewhere("second"))
    routes.stay(SECOND)
    assert search.current == SECOND


def test_answers_tell_whether_the_server_is_elsewhere() -> None:
    routes = Routes([FIRST, SECOND])
    assert is_elsewhere(routes, FIRST, 404)
    assert is_elsewhere(routes, FIRST, 405)
    assert is_elsewhere(routes, FIRST, 422, b"missing field `texts` at line 1")
    assert not is_elsewhere(routes, FIRST, 422, b"something else")
    assert not is_elsewhere(routes, FIRST, 503)
    assert is_elsewhere(routes, SECOND, 400, b"something else")
    assert not is_elsewhere(routes, SECOND, 422, b'{"error":"too many","error_type":"Validation"}')


def test_only_route_is_never_elsewhere() -> None:
    assert not is_elsewhere(Routes([FIRST]), FIRST, 404)


@pytest.mark.parametrize("name", ["code", "sig", "Signature"])
def test_signature_in_the_query_is_refused_without_its_value(name: str) -> None:
    with pytest.raises(ValueError, match=f"secret such as '{name}'") as caught:
        Address.of(f"https://example.com/rerank?{name}=hidden")
    assert "hidden" not in str(caught.value)


def test_parameter_that_only_holds_the_letters_of_a_signature_is_kept() -> None:
    assert Address.of("https://example.com/?encode=1&design=2").query == "?encode=1&design=2"
