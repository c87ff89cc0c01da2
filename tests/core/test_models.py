"""The model table."""

import pytest

from jina_rerank import MODELS, ModelInfo
from jina_rerank.models import find, is_listwise
from jina_rerank.settings import Settings


@pytest.mark.parametrize(
    ("alias", "name", "parameters"),
    [
        ("turbo", "jina-reranker-v1-turbo-en", 37_771_777),
        ("tiny", "jina-reranker-v1-tiny-en", 33_046_273),
        ("base", "jina-reranker-v1-base-en", 137_369_089),
    ],
)
def test_published_models_are_pinned(alias: str, name: str, parameters: int) -> None:
    info = find(alias)
    assert info is not None
    assert info is find(name) is find(f"jinaai/{name}")
    assert (info.name, info.parameters, info.context) == (name, parameters, 8192)
    assert info.licence == "Apache-2.0"
    assert info.revision is not None
    assert len(info.revision) == 40


def test_later_models_run_only_remotely() -> None:
    later = [info for info in MODELS if "local" not in info.backends]
    assert {info.name for info in later} >= {
        "jina-reranker-v2-base-multilingual",
        "jina-reranker-m0",
        "jina-reranker-v3",
    }
    assert all(info.revision is None for info in later)
    assert [info.name for info in later if info.listwise] == [
        "jina-reranker-v3",
        "jina-reranker-v3.5",
    ]


def test_unknown_model_is_no_error() -> None:
    assert find("org/unknown") is None


@pytest.mark.parametrize("info", MODELS, ids=lambda info: info.name)
def test_repository_is_another_name_of_the_model(info: ModelInfo) -> None:
    assert info.repo is None or find(info.repo) is info


def test_later_model_under_its_repository_name_is_for_the_api() -> None:
    assert Settings(model="jinaai/jina-reranker-v3").backend_name == "api"
    with pytest.raises(ValueError, match="does not run locally"):
        Settings(model="jinaai/jina-reranker-v3", backend="local")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("jina-reranker-v3", True),
        ("jinaai/jina-reranker-v3", True),
        ("jinaai/jina-reranker-v3.5", True),
        ("someone/Jina-Reranker-v3-4bit", True),
        ("/models/jina-reranker-v3-GGUF/", True),
        ("jinaai/jina-reranker-m0", False),
        ("turbo", False),
        ("jina-reranker-v3/other", False),
    ],
)
def test_listwise_model_is_known_under_any_of_its_names(model: str, expected: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    assert is_listwise(model) is expected
    if expected:
        with pytest.raises(ValueError, match="cache is not for"):
            Settings(model=model, cache=10, base_url="http://localhost:1")
