"""Where a model's files are looked for, before any is fetched."""

import sys
from dataclasses import dataclass
from pathlib import Path

import jina_rerank_nano
import pytest

from jina_rerank import MissingDependencyError, ModelNotFoundError, Reranker, hub
from jina_rerank.models import find
from jina_rerank.settings import Settings

TURBO = "jinaai/jina-reranker-v1-turbo-en"
TURBO_COMMIT = "b8c14f4e723d9e0aab4732a7b7b93741eeeb77c2"
TOKEN = "hf_" + "s3cret" * 5
WEIGHTS = "model.safetensors"
CONFIG = "config.json"


class SecretStr:
    """As pydantic has it."""

    def get_secret_value(self) -> str:
        return TOKEN


@dataclass
class Secret:
    """As Haystack has it; of a variable that is not set, it resolves to None."""

    value: str | None

    def resolve_value(self) -> str | None:
        return self.value


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (None, None),
        (TOKEN, TOKEN),
        (f"{TOKEN}\n", TOKEN),
        (SecretStr(), TOKEN),
        (Secret(TOKEN), TOKEN),
        (Secret(None), None),
    ],
    ids=["none", "text", "line", "SecretStr", "Secret", "Secret of nothing"],
)
def test_token_in_any_form_is_given_to_the_hub_as_text(given: object, sent: str | None) -> None:
    source = hub.locate(Settings(model="org/private", token=given))
    assert isinstance(source, hub.Hub)
    assert source.token == sent


@pytest.mark.parametrize(
    "token", [f"{TOKEN}\n{TOKEN}", f"{TOKEN}\N{EURO SIGN}"], ids=["two lines", "not ASCII"]
)
def test_token_that_no_header_can_hold_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        hub.locate(Settings(model="org/private", token=token))
    assert TOKEN not in str(caught.value)


def test_source_of_a_model_does_not_show_the_token() -> None:
    assert TOKEN not in repr(hub.locate(Settings(model="org/private", token=TOKEN)))


def test_directory_without_a_file_lists_what_it_holds(tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", CONFIG):
        (tmp_path / name).touch()
    with pytest.raises(ModelNotFoundError, match=f"no {WEIGHTS}; it holds {CONFIG}, pytorch_model"):
        hub.Directory(tmp_path).file(WEIGHTS)


def test_empty_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="it holds nothing"):
        Reranker(tmp_path).load()


@pytest.mark.parametrize("model", ["./nowhere", "/no/where", "~/no/where", "~nobody-here/model"])
def test_path_without_a_directory_is_not_looked_up_on_the_hub(model: str) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no directory"):
        Reranker(model).load()


@pytest.mark.parametrize("model", ["a" * 5000, "no\0where"], ids=["too long", "with a null"])
def test_name_that_no_directory_can_have_is_not_found(model: str) -> None:
    with pytest.raises(ModelNotFoundError, match="no directory here"):
        Reranker(model, local_files_only=True).load()


def test_relative_directory_without_a_dot_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org" / "mini").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert hub.locate(Settings(model="org/mini")) == hub.Directory(Path("org/mini"))


def test_table_of_models_pins_turbo() -> None:
    info = find("turbo")
    assert info is not None
    assert (info.repo, info.revision) == (TURBO, TURBO_COMMIT)
    assert hub.locate(Settings(model=TURBO)) == hub.Hub(repo=TURBO, revision=TURBO_COMMIT)


def test_explicit_revision_overrides_the_pin() -> None:
    assert hub.locate(Settings(revision="main")) == hub.Hub(repo=TURBO, revision="main")


def test_built_in_model_is_the_folder_of_its_package() -> None:
    source = hub.locate(Settings(model="nano"))
    assert source == hub.Directory(Path(jina_rerank_nano.__file__).parent)


def test_built_in_model_that_is_not_installed_names_the_command() -> None:
    with pytest.raises(MissingDependencyError, match=r"pip install 'jina-rerank\[nano\]'"):
        hub._package("no_such_package", "nano")


def test_misspelt_name_is_answered_with_the_names(tmp_path: Path) -> None:
    reranker = Reranker("turbp", local_files_only=True, cache_dir=tmp_path)
    with pytest.raises(
        ModelNotFoundError, match="'turbp' is none of turbo, tiny, base, nano"
    ) as caught:
        reranker.load()
    assert "local_files_only is set" in str(caught.value)


def test_hub_library_that_is_missing_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'jina-rerank\[local\]'"):
        hub.Hub(repo=TURBO).file(CONFIG)


def test_clone_of_a_known_repository_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / TURBO).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert hub.locate(Settings(model=TURBO)) == hub.Directory(Path(TURBO))


def test_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / CONFIG).write_text("{}")
    # The tests may run as root, who may read everything.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ModelNotFoundError, match="change its permissions"):
        hub.Directory(tmp_path).file(CONFIG)
