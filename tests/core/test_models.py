"""The model table."""

import pytest

from jina_rerank import MODELS
from jina_rerank.models import find


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
    assert all(info.repo is None for info in later)
    assert [info.name for info in later if info.listwise] == [
        "jina-reranker-v3",
        "jina-reranker-v3.5",
    ]


def test_unknown_model_is_no_error() -> None:
    assert find("org/unknown") is None
