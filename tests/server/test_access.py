"""Who may ask: keys, names of the server, pages of other sites."""

import logging
import socket
from pathlib import Path

import pytest
from jina_rerank_server.access import (
    Access,
    check_names,
    is_loopback,
    read_key_file,
    read_keys,
)
from jina_rerank_server.app import create_app
from jina_rerank_server.refusals import Refusal
from starlette.types import Message

from .application import ROUTES, body_of, serving

KEY = "0123456789abcdef-one"
OTHER = "0123456789abcdef-two"
LOCKED = Access(keys=read_keys(f"{KEY}\n{OTHER}"))


@pytest.mark.parametrize(
    "text", [f"{KEY}\n{OTHER}", f" {KEY},{OTHER} ", f"# ours\n{KEY}\n\n{OTHER}"]
)
def test_keys_are_read_from_lines_and_commas(text: str) -> None:
    assert read_keys(text) == LOCKED.keys


@pytest.mark.parametrize("text", ["", "# none", "short", f"{KEY} short", "0123456789abcdefé"])
def test_keys_that_could_be_guessed_or_not_be_sent_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at least 16 characters of ASCII"):
        read_keys(text)


def test_refused_key_is_not_in_the_message() -> None:
    with pytest.raises(ValueError, match="key 2") as caught:
        read_keys(f"{KEY} secret")
    assert "secret" not in str(caught.value)


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{KEY}\n{OTHER}\n")
    assert read_key_file(tmp_path / "keys") == LOCKED.keys


@pytest.mark.parametrize("content", [b"\xff\xfe", b"short"])
def test_file_without_keys_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(ValueError, match="keys: "):
        read_key_file(tmp_path / "keys")


def test_keys_are_not_in_the_repr() -> None:
    assert "keys" not in repr(LOCKED)


@pytest.mark.parametrize("key", [KEY, OTHER])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_each_key_is_enough(key: str, scheme: str) -> None:
    async with serving(access=LOCKED) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank"), authorization=f"{scheme} {key}")
    assert said.status_code == 200


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "AUTH_MISSING_API_KEY"),
        ("Token x", "AUTH_INVALID_FORMAT"),
        ("Bearer ", "AUTH_INVALID_FORMAT"),
        (f"Bearer {KEY}x", "AUTH_INVALID_API_KEY"),
        (b"Bearer \xff", "AUTH_INVALID_API_KEY"),
    ],
)
async def test_request_without_a_key_is_401(
    authorization: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {} if authorization is None else {"authorization": authorization}
    async with serving(access=LOCKED) as app:
        said = await app.post("/v1/rerank", body_of("/v1/rerank"), **headers)
    assert said.status_code == 401
    assert said.json()["code"] == code
    assert said.headers["www-authenticate"] == "Bearer"
    assert KEY not in caplog.text + said.text


@pytest.mark.parametrize("route", [*ROUTES, "/v1/models", "/metrics", "/nothing"])
async def test_route_that_needs_a_key_is_401_without(route: str) -> None:
    async with serving(access=LOCKED) as app:
        said = await app.get(route)
    assert said.status_code == 401


@pytest.mark.parametrize(
    "route", ["/ping", "/health", "/", "/docs", "/openapi.json", "/page/style.css"]
)
async def test_public_route_needs_no_key(route: str) -> None:
    async with serving(access=LOCKED) as app:
        said = await app.get(route)
    assert said.status_code == 200


async def test_key_is_asked_for_before_the_body_is_read() -> None:
    async with serving(access=LOCKED, largest=1) as app:
        said = await app.post("/v1/rerank", b"too large")
    assert said.status_code == 401


OWN = ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "10.0.0.7", "a.localhost."]


@pytest.mark.parametrize("host", [*OWN, socket.gethostname()])
async def test_own_names_and_addresses_are_answered(host: str) -> None:
    async with serving() as app:
        said = await app.get("/v1/models", host=host)
    assert said.status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8080", "", "a:b:c", "[x"])
async def test_other_names_are_421(host: str) -> None:
    async with serving() as app:
        said = await app.get("/v1/models", host=host)
        probe = await app.get("/ping", host=host)
    assert said.status_code == 421
    assert "--allowed-host" in said.json()["detail"]
    assert probe.status_code == 200


@pytest.mark.parametrize(
    "access", [Access(hosts=frozenset({"rerank.example"})), Access(hosts=frozenset("*"))]
)
async def test_allowed_name_is_answered(access: Access) -> None:
    async with serving(access=access) as app:
        said = await app.get("/v1/models", host="Rerank.example:80")
    assert said.status_code == 200


SAGEMAKER = Access(behind_sagemaker=True)


async def test_sagemakers_route_answers_programs_under_every_name() -> None:
    async with serving(access=SAGEMAKER) as app:
        said = await app.post("/invocations", body_of("/invocations"), host="model.aws.example")
    assert said.status_code == 200


@pytest.mark.parametrize("route", ["/v1/rerank", "/v2/rerank", "/rerank", "/metrics", "/"])
async def test_other_routes_answer_to_own_names_behind_sagemaker_too(route: str) -> None:
    async with serving(access=SAGEMAKER) as app:
        said = await app.get(route, host="evil.example")
    assert said.status_code == 421


async def test_page_under_another_name_is_refused_on_sagemakers_route() -> None:
    host = "evil.example"
    async with serving(access=SAGEMAKER) as app:
        rebound = await app.post("/invocations", b"{}", host=host, origin=f"http://{host}")
        other = await app.post("/invocations", b"{}", host="localhost", origin=f"http://{host}")
    assert (rebound.status_code, other.status_code) == (421, 403)


async def test_sagemakers_route_answers_to_own_names_without_sagemaker() -> None:
    async with serving() as app:
        said = await app.post("/invocations", b"{}", host="model.aws.example")
    assert said.status_code == 421


def test_server_with_keys_answers_to_every_name() -> None:
    LOCKED.check_host("rerank.example")


def test_request_without_a_host_is_refused() -> None:
    with pytest.raises(Refusal):
        Access().check_host(None)


async def test_page_of_another_site_is_403_without_keys() -> None:
    async with serving() as app:
        said = await app.get("/v1/models", origin="https://evil.example")
        null = await app.get("/v1/models", origin="null")
        own = await app.get("/v1/models", origin="http://localhost", host="localhost")
    assert (said.status_code, null.status_code, own.status_code) == (403, 403, 200)


@pytest.mark.parametrize("origin", ["http://[", "http://]", "http://[::1", "", "http://a@[b"])
async def test_origin_that_is_none_is_403(origin: str) -> None:
    async with serving() as app:
        said = await app.get("/v1/models", origin=origin)
    assert said.status_code == 403


async def test_page_of_an_allowed_site_may_ask_and_read() -> None:
    origin = "https://search.example"
    preflight = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    async with serving(access=Access(origins=frozenset({origin}))) as app:
        said = await app.get("/v1/models", origin=origin)
        asked = await app.client.options("/v1/rerank", headers=preflight)
    assert said.headers["access-control-allow-origin"] == origin
    assert "retry-after" in said.headers["access-control-expose-headers"]
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert said.headers["vary"] == "Origin"


ORIGIN = "https://search.example"
PREFLIGHT = {"origin": ORIGIN, "access-control-request-method": "POST"}


async def test_refusal_can_be_read_by_a_page_that_may_ask() -> None:
    async with serving(access=Access(origins=frozenset({ORIGIN}))) as app:
        said = await app.post("/v1/rerank", b"{", origin=ORIGIN)
    assert said.status_code == 422
    assert said.headers["access-control-allow-origin"] == ORIGIN


async def test_preflight_is_answered_like_every_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jina_rerank_server")
    async with serving(access=Access(origins=frozenset({ORIGIN}))) as app:
        said = await app.client.options("/v1/rerank", headers=PREFLIGHT)
        foreign = await app.client.options(
            "/v1/rerank", headers=PREFLIGHT | {"host": "evil.example"}
        )
    assert (said.status_code, foreign.status_code) == (200, 421)
    assert said.headers["x-content-type-options"] == "nosniff"
    logged = [getattr(record, "request_id", None) for record in caplog.records]
    assert logged == [said.headers["x-request-id"], foreign.headers["x-request-id"]]


async def test_preflight_needs_no_key_where_other_sites_may_ask() -> None:
    access = Access(keys=LOCKED.keys, origins=frozenset({ORIGIN}))
    async with serving(access=access) as app:
        preflight = await app.client.options("/v1/rerank", headers=PREFLIGHT)
        asked = await app.post("/v1/rerank", body_of("/v1/rerank"), origin=ORIGIN)
        options = await app.client.options("/v1/rerank", headers={"origin": ORIGIN})
    assert (preflight.status_code, asked.status_code, options.status_code) == (200, 401, 401)
    assert asked.headers["access-control-allow-origin"] == ORIGIN


async def test_preflight_needs_a_key_where_no_other_site_may_ask() -> None:
    async with serving(access=LOCKED) as app:
        said = await app.client.options("/v1/rerank", headers=PREFLIGHT)
    assert said.status_code == 401


async def test_what_is_no_request_passes_where_other_sites_may_ask() -> None:
    scope = {"type": "lifespan"}
    sent: list[Message] = []
    messages = iter(["startup", "shutdown"])

    async def receive() -> Message:
        return {"type": f"lifespan.{next(messages)}"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with serving(access=Access(origins=frozenset({ORIGIN}))) as app:
        await create_app(app.server)(scope, receive, send)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_page_of_another_site_reads_nothing_by_default() -> None:
    async with serving(access=LOCKED) as app:
        said = await app.get(
            "/v1/models", origin="https://a.example", authorization=f"Bearer {KEY}"
        )
    assert said.status_code == 200
    assert "access-control-allow-origin" not in said.headers


@pytest.mark.parametrize("name", ["a.example:80", "http://a.example", "", "a b"])
def test_allowed_host_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="--allowed-host"):
        check_names([name], [])


@pytest.mark.parametrize("origin", ["a.example", "https://a.example/", "ftp://a"])
def test_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="--cors-origin"):
        check_names([], [origin])


def test_names_of_all_kinds_are_accepted() -> None:
    check_names(["a.example", "[::1]", "*"], ["https://a.example:8443", "*"])


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.9", True), ("::1", True), ("0.0.0.0", False), ("a.b", False)],  # noqa: S104 - not listened on
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is loopback
