"""The keywords of `Reranker`: what each accepts, and what they say together."""

import inspect
import json
import pickle
import ssl
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jina_rerank import Reranker
from jina_rerank.settings import Settings
from jina_rerank.testing import FakeBackend


class Secret:
    """A secret as pydantic has it."""

    def get_secret_value(self) -> str:
        return "hf_secret"


class Store:
    """A cache of the user's own; the class itself will do, it has both methods."""

    @staticmethod
    def get(key: str) -> None: ...

    @staticmethod
    def set(key: str, value: float) -> None: ...


GOOD: dict[str, list[Any]] = {
    "model": ["turbo", "./folder", "org/name", "unknown"],
    "top_n": [None, 1, 10**6],
    "score_threshold": [None, 0, 0.5, -1.0, float("-inf")],
    "max_length": [None, 16, 8192],
    "overlength": ["truncate", "window"],
    "max_query_length": [None, 64],
    "overlap": [0, 80],
    "device": [None, "cpu", "cuda", "cuda:1", "mps", torch.device("cpu")],
    "dtype": ["auto", "float32", torch.bfloat16],
    "batch_tokens": [None, 1, 65536],
    "compile": [True, False],
    "revision": [None, "main"],
    "cache_dir": [None, "cache", Path("cache")],
    "local_files_only": [True, False],
    "token": [None, "hf_x", Secret()],
    "api_key": [None, "jina_x", Secret()],
    "base_url": [None, "http://localhost:8080/v1"],
    "dialect": [None, "jina", "cohere", "tei"],
    "headers": [None, {}, {"X-Team": "search", "X-Empty": "", "Cookie": "a=b; c"}],
    "verify": [True, False, "/etc/ca.pem", Path("ca.pem"), ssl.create_default_context()],
    "timeout": [None, 5, 0.5, (1, 2.5), [1, 2]],
    "deadline": [None, 30.0],
    "attempts": [None, 1, 5],
    "max_concurrency": [None, 4],
    "max_documents_per_request": [None, 100],
    "requests_per_minute": [None, 1, 500],
    "tokens_per_minute": [None, 100_000],
    "split": [None, "allow"],
    "http_client": [None, object()],
    "endpoint_name": [None, "my-endpoint"],
    "region": [None, "eu-central-1"],
    "profile": [None, "work"],
    "inference_component": [None, "part"],
    "target_variant": [None, "blue"],
    "cache": [None, 1, 10**6, Store],
    "show_progress": [True, False],
    "on_error": ["raise", "keep-order"],
}

BAD: list[tuple[str, Any, type[Exception]]] = [
    ("model", "", ValueError),
    ("model", None, TypeError),
    ("model", 7, TypeError),
    ("backend", "onnx", ValueError),
    ("backend", 7, TypeError),
    *((name, 0, ValueError) for name in ("top_n", "max_length", "max_query_length")),
    *((name, 0, ValueError) for name in ("batch_tokens", "attempts", "max_concurrency")),
    ("max_documents_per_request", -1, ValueError),
    ("requests_per_minute", 0, ValueError),
    ("tokens_per_minute", 1.5, TypeError),
    ("top_n", 2.0, TypeError),
    ("top_n", "3", TypeError),
    ("top_n", True, TypeError),
    ("score_threshold", float("nan"), ValueError),
    ("score_threshold", "0.5", TypeError),
    ("score_threshold", True, TypeError),
    ("score_threshold", [], TypeError),
    ("overlap", -1, ValueError),
    ("overlap", 1.5, TypeError),
    ("overlap", None, TypeError),
    ("cache_dir", 5, TypeError),
    ("cache_dir", "", ValueError),
    ("score_threshold", 10**400, ValueError),
    ("base_url", "http://user:password@localhost", ValueError),
    ("base_url", "user@localhost:8080", ValueError),
    ("base_url", "ftp://localhost", ValueError),
    ("base_url", "https://host/v1?api_key=x", ValueError),
    ("overlength", "error", ValueError),
    ("on_error", "ignore", ValueError),
    ("dtype", "int3", ValueError),
    ("device", "", ValueError),
    ("device", 0, ValueError),
    ("compile", 1, TypeError),
    ("local_files_only", "yes", TypeError),
    ("show_progress", None, TypeError),
    ("revision", "", ValueError),
    ("revision", 7, TypeError),
    ("token", "", ValueError),
    ("token", 7, TypeError),
    ("api_key", "  ", ValueError),
    ("base_url", 7, TypeError),
    ("dialect", "voyage", ValueError),
    ("headers", [("a", "b")], TypeError),
    ("headers", {"a": 1}, TypeError),
    ("headers", {"a b": "c"}, ValueError),
    ("headers", {"": "c"}, ValueError),
    ("headers", {"a": "b\r\nc: d"}, ValueError),
    ("headers", {"a": "\u00fc"}, ValueError),
    ("verify", None, TypeError),
    ("verify", 1, TypeError),
    ("timeout", 0, ValueError),
    ("timeout", float("inf"), ValueError),
    ("timeout", "5", TypeError),
    ("timeout", (1,), ValueError),
    ("timeout", (1, 0), ValueError),
    ("timeout", (None, 1), TypeError),
    ("deadline", -1, ValueError),
    ("split", "never", ValueError),
    ("cache", 0, ValueError),
    ("cache", True, TypeError),
    ("cache", 1.5, TypeError),
    ("cache", {}, TypeError),
]


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in GOOD.items() for v in vs])
def test_good_value_is_kept(name: str, value: Any) -> None:
    found = getattr(Reranker(**{name: value}).settings, name)
    assert found == (str(value).removeprefix("torch.") if name == "dtype" else value)


def test_path_is_a_directory_and_never_a_name() -> None:
    assert Reranker(Path("nano")).model == "./nano"
    assert Reranker(Path("some/folder")).model == "some/folder"


@pytest.mark.parametrize(("name", "value", "error"), BAD)
def test_bad_value_is_refused_by_name(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        Reranker(**{name: value})


def test_unknown_keyword_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="top_k"):
        Reranker("turbo", top_k=3)  # type: ignore[call-arg] # the point of the test


def test_every_keyword_is_tried_documented_and_kept() -> None:
    signature = list(inspect.signature(Reranker).parameters)
    assert [*signature, "agent"] == [field.name for field in fields(Settings)]
    assert set(GOOD) == set(signature) - {"backend"}
    described = inspect.getdoc(Reranker) or ""
    assert [name for name in signature if f"    {name}: " not in described] == []
    defaults = {name: p.default for name, p in inspect.signature(Reranker).parameters.items()}
    assert defaults | {"agent": ""} == {field.name: field.default for field in fields(Settings)}


@pytest.mark.parametrize(
    ("arguments", "backend"),
    [
        ({}, "local"),
        ({"model": "nano"}, "local"),
        ({"model": "jina-reranker-v3"}, "api"),
        ({"api_key": "jina_x"}, "api"),
        ({"base_url": "http://localhost:8080"}, "api"),
        ({"endpoint_name": "e"}, "sagemaker"),
        ({"model": "jina-reranker-v3", "endpoint_name": "e"}, "sagemaker"),
        ({"backend": "api"}, "api"),
        ({"backend": FakeBackend()}, "custom"),
    ],
)
def test_backend_is_chosen_by_what_is_given(arguments: dict[str, Any], backend: str) -> None:
    assert Reranker(**arguments).settings.backend_name == backend


def test_key_in_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_API_KEY", "jina_x")
    assert Reranker("turbo").settings.backend_name == "local"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"backend": "local", "api_key": "jina_x"}, "api_key is for backend='api'"),
        ({"backend": "local", "base_url": "http://localhost"}, "base_url is for backend='api'"),
        ({"backend": "api", "endpoint_name": "e"}, "endpoint_name is for backend='sagemaker'"),
        ({"endpoint_name": "e", "base_url": "http://localhost"}, "base_url is for backend='api'"),
        ({"backend": "sagemaker"}, "needs endpoint_name"),
        ({"base_url": "http://host", "api_key": "jina_x"}, "base_url is plain http beyond this"),
        ({"base_url": "http://host", "headers": {"X-Api-Key": "x"}}, "base_url is plain http"),
        ({"model": "jina-reranker-v3", "backend": "local"}, "use backend='api'"),
        ({"model": "turbo", "max_length": 8193}, "at most 8192, the context of jina-reranker-v1"),
        ({"max_length": 100, "max_query_length": 100}, "leave room for the document"),
        (
            {"max_length": 100, "max_query_length": 51, "overlength": "window"},
            "at least twice max_query_length",
        ),
    ],
)
def test_contradiction_is_refused_with_the_fix(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Reranker(**arguments)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"backend": "api", "max_length": 512}, "max_length is for backend='local'"),
        ({"base_url": "localhost", "max_query_length": 64}, "max_query_length is for backend="),
        ({"api_key": "x", "overlength": "window"}, "overlength='window' is for backend='local'"),
        ({"model": "nano", "backend": "api"}, "nano is not among Jina's models"),
        ({"endpoint_name": "e", "max_length": 512}, "max_length is for backend='local'"),
        ({"endpoint_name": "e", "headers": {"X-Team": "a"}}, "headers is for backend='api'"),
    ],
)
def test_what_a_service_cannot_follow_is_kept_and_refused_on_first_use(
    arguments: dict[str, Any], named: str
) -> None:
    reranker = Reranker(**arguments, on_error="keep-order")
    assert all(getattr(reranker.settings, name) == value for name, value in arguments.items())
    with pytest.raises(ValueError, match=named):
        reranker.rank("red planet", ["the sea"])


def test_key_over_plain_http_may_go_to_this_machine_alone() -> None:
    assert Reranker(base_url="http://localhost:8080", api_key="jina_x").settings.api_key == "jina_x"
    headers = {"X-Team": "search"}
    assert Reranker(base_url="http://tei:80", headers=headers).settings.headers == headers


def test_keywords_of_another_backend_are_kept() -> None:
    settings = Reranker("nano", region="eu-central-1", attempts=2, split="allow").settings
    assert (settings.region, settings.attempts, settings.split) == ("eu-central-1", 2, "allow")


def test_settings_pickle_without_secrets() -> None:
    settings = Reranker("turbo", token="hf_secret", top_n=2).settings
    data = pickle.dumps(settings)
    assert b"secret" not in data
    assert pickle.loads(data).arguments() == settings.arguments()  # noqa: S301 - made above


def test_dictionary_rebuilds_the_reranker_and_is_json() -> None:
    given: dict[str, Any] = {
        "model": Path("checkpoint"),
        "backend": "api",
        "top_n": np.int64(3),
        "score_threshold": 0.5,
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "cache_dir": Path("cache"),
        "token": "hf_secret",
        "api_key": Secret(),
        "base_url": "http://localhost:8080/v1",
        "headers": {"Authorization": "Bearer secret", "X-Team": "search"},
        "verify": Path("ca.pem"),
        "timeout": (1, np.float32(2.5)),
        "cache": 100,
    }
    reranker = Reranker(**given)
    written = json.dumps(reranker.to_dict())
    assert "secret" not in written
    copy = Reranker(**json.loads(written))
    assert copy.to_dict() == reranker.to_dict()
    expected = {"device": "cpu", "timeout": [1, 2.5], "top_n": 3, "verify": "ca.pem"}
    assert expected.items() <= reranker.to_dict().items()
    assert list(reranker.to_dict()) == [
        name for name in inspect.signature(Reranker).parameters if name not in {"token", "api_key"}
    ]


@pytest.mark.parametrize(
    "given", [{"backend": FakeBackend()}, {"http_client": object()}, {"cache": Store}]
)
def test_dictionary_of_an_object_is_refused_by_name(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(ValueError, match=f"{name} is a .*cannot be written down"):
        Reranker(**given).to_dict()


def test_cache_of_a_listwise_model_is_refused() -> None:
    with pytest.raises(ValueError, match="cache is not for jina-reranker-v3"):
        Reranker("jina-reranker-v3", cache=10)


@pytest.mark.parametrize("verify", [False, "ca.pem"])
def test_verify_beside_a_client_that_is_given_is_a_contradiction(verify: Any) -> None:
    with pytest.raises(ValueError, match=r"http_client .* verify"):
        Settings(base_url="http://localhost:1", http_client=object(), verify=verify).check_service()
