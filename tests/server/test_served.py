"""The models of a server: their names, and what starts and stops them."""

from pathlib import Path

import pytest
from jina_rerank_server.metrics import Metrics
from jina_rerank_server.refusals import UNKNOWN_MODEL, Refusal
from jina_rerank_server.served import Choice, Model, Served

from jina_rerank.testing import FakeBackend

from .application import batcher

BATCHING = {"batch_tokens": 100, "batch_wait": 0.0, "queue_size": 10}


def served(*choices: Choice) -> Served:
    return Served.of(choices, arguments={}, batching=BATCHING, metrics=Metrics())


@pytest.mark.parametrize(
    ("text", "name", "model"),
    [
        ("turbo", "turbo", "turbo"),
        ("mine=turbo", "mine", "turbo"),
        ("org/model", "org/model", "org/model"),
        ("a/b=./c=d", "a/b", "./c=d"),
        ("./folder", "folder", "./folder"),
        ("/opt/folder/", "folder", "/opt/folder/"),
    ],
)
def test_choice_has_a_name_and_a_model(text: str, name: str, model: str) -> None:
    assert Choice.of(text) == Choice(name=name, model=model)


def test_directory_is_called_by_its_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoint").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Choice.of("checkpoint").name == "checkpoint"
    assert Choice.of(str(tmp_path / "checkpoint")).name == "checkpoint"


@pytest.mark.parametrize("text", ["", "=turbo", "mine=", "a name=turbo", "x" * 200])
def test_choice_without_a_name_or_a_model_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=MODEL"):
        Choice.of(text)


@pytest.mark.parametrize(
    ("model", "full"),
    [
        ("turbo", "jina-reranker-v1-turbo-en"),
        ("jinaai/jina-reranker-v1-tiny-en", "jina-reranker-v1-tiny-en"),
        ("nano", "nano"),
        ("someone/else", "someone/else"),
    ],
)
def test_model_has_its_full_name(model: str, full: str) -> None:
    assert served(Choice.of(model)).find(None).id == full


def test_model_of_the_table_has_all_its_names() -> None:
    model = served(Choice.of("mine=tiny")).find("jina-reranker-v1-tiny-en")
    assert model.id == "jina-reranker-v1-tiny-en"
    assert {"mine", "tiny", "jinaai/jina-reranker-v1-tiny-en"} < model.names


def test_directory_is_not_named_by_its_path(mini: Path) -> None:
    model = served(Choice.of(str(mini))).find(None)
    assert (model.id, model.names) == (mini.name, frozenset({mini.name}))


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two models are called"):
        served(Choice.of("turbo"), Choice.of("mine=turbo"))


def test_unknown_name_is_refused_without_repeating_it() -> None:
    with pytest.raises(Refusal) as caught:
        served(Choice.of("turbo")).find("secret")
    assert caught.value.reason is UNKNOWN_MODEL
    assert "secret" not in caught.value.message


async def test_models_are_ready_once_all_are_started() -> None:
    metrics = Metrics()
    both = [Model.of(batcher(FakeBackend(), metrics, name), name) for name in ("turbo", "tiny")]
    models = Served(both)
    await both[0].batcher.start()
    assert not models.ready
    await both[1].batcher.start()
    assert models.ready
    await models.stop()
    assert not models.ready
