"""Keys: where they come from, where they go, and that they stay there."""

from typing import Any

import pytest

from jina_rerank import AuthenticationError, Reranker
from jina_rerank.address import HOSTED, Address
from jina_rerank.http.credentials import build_headers, find_key, secrets

KEY = "jina_0123456789abcdef0123456789abcdef"
JINA, ELSEWHERE = Address.of(HOSTED), Address.of("https://rerank.example.com")


class PydanticSecret:
    def get_secret_value(self) -> str:
        return KEY


class HaystackSecret:
    def resolve_value(self) -> str | None:
        return KEY


class EmptySecret:
    def resolve_value(self) -> str | None:
        return None


pytestmark = pytest.mark.usefixtures("_no_keys")


@pytest.mark.parametrize(
    "given", [KEY, f" {KEY}\n", f"Bearer {KEY}", PydanticSecret(), HaystackSecret()]
)
def test_key_that_is_given_goes_wherever_the_user_says(given: Any) -> None:
    assert find_key(given, {}, JINA) == KEY
    assert find_key(given, {}, ELSEWHERE) == KEY


@pytest.mark.parametrize("given", [EmptySecret(), "Bearer "])
def test_secret_that_holds_nothing_is_refused(given: Any) -> None:
    with pytest.raises(AuthenticationError, match="api_key holds no key"):
        find_key(given, {}, JINA)


@pytest.mark.parametrize("given", [f"{KEY} {KEY}", f"{KEY}\n{KEY}", f"{KEY}\u00fc"])
def test_key_with_a_character_that_none_has_is_refused_without_it(given: str) -> None:
    with pytest.raises(
        AuthenticationError, match="api_key holds a character that no key has"
    ) as caught:
        find_key(given, {}, JINA)
    assert KEY not in str(caught.value)


def test_environment_is_read_for_jina_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_API_KEY", f"{KEY}\n")
    assert find_key(None, {}, JINA) == KEY
    assert find_key(None, {}, Address.of("https://eu.api.jina.ai/v1")) == KEY
    assert find_key(None, {}, ELSEWHERE) is None
    assert find_key(None, {}, Address.of("http://api.jina.ai")) is None
    assert find_key(None, {}, Address.of("https://api.jina.ai.example.com")) is None


def test_second_variable_is_read_where_the_first_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JINAAI_API_KEY", KEY)
    assert find_key(None, {}, JINA) == KEY
    monkeypatch.setenv("JINA_API_KEY", " ")
    assert find_key(None, {}, JINA) == KEY
    monkeypatch.setenv("JINA_API_KEY", "jina_first")
    assert find_key(None, {}, JINA) == "jina_first"


def test_bad_variable_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_API_KEY", "two words")
    with pytest.raises(AuthenticationError, match="JINA_API_KEY holds a character"):
        find_key(None, {}, JINA)


def test_missing_key_says_where_to_get_one_before_any_request() -> None:
    with pytest.raises(AuthenticationError) as caught:
        Reranker("turbo", backend="api", on_error="keep-order").rank("q", ["a"])
    message = str(caught.value)
    for part in ("JINA_API_KEY", "JINAAI_API_KEY", "api_key", "https://jina.ai/api-dashboard"):
        assert part in message
    assert "\n" not in message
    assert caught.value.code == "AUTH_MISSING_API_KEY"


def test_authorization_of_ones_own_takes_the_place_of_a_key() -> None:
    headers = {"AUTHORIZATION": "Bearer mine"}
    assert find_key(None, headers, JINA) is None
    assert build_headers(None, headers)["authorization"] == "Bearer mine"
    assert build_headers(KEY, headers)["authorization"] == "Bearer mine"


def test_user_agent_names_the_suite_and_who_calls() -> None:
    ours = build_headers(None, {})["user-agent"]
    assert ours.startswith("jina-rerank/")
    both = build_headers(None, {"User-Agent": "my-adapter/1.0"})["user-agent"]
    assert both == f"{ours} my-adapter/1.0"
    assert build_headers(None, {}, "an-adapter")["user-agent"] == f"{ours} an-adapter"


def test_secrets_are_the_words_of_headers_that_may_hold_one() -> None:
    headers = build_headers(KEY, {"X-Api-Key": "azure", "X-Team": "search"})
    assert secrets(headers) == [KEY, "azure"]
