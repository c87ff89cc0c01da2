"""The command: its options, its environment, its mistakes."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jina_rerank.cli import main

pytestmark = pytest.mark.usefixtures("_loggers")

KEY = "0123456789abcdef"
Serve = Callable[..., list[str]]
Fail = Callable[..., str]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out what could be set."""
    for name in [name for name in os.environ if name.startswith(("JINA_RERANK_", "SM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("SAGEMAKER_BIND_TO_PORT", raising=False)


@contextmanager
def stopped() -> Iterator[None]:
    """Stop the server as soon as it would handle the signal."""
    over = threading.Event()
    default = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        while signal.getsignal(signal.SIGTERM) == default and not over.is_set():
            time.sleep(0.01)
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def serve(capsys: pytest.CaptureFixture[str]) -> Serve:
    """Start the server and stop it at once; return what it logs."""

    def serve(*arguments: str) -> list[str]:
        with stopped():
            assert main(["serve", *arguments]) == 0
        return [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]

    return serve


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Fail:
    """Start the server with a mistake; return what is said about it."""

    def fail(*arguments: str) -> str:
        assert main(["serve", *arguments]) == 2
        return capsys.readouterr().err

    return fail


def test_greeting_says_what_is_served_and_where(serve: Serve, mini: Path) -> None:
    greeting, *_ = serve("--model", f"mine={mini}", "--model", "nano", "--port", "0")
    said = "loading mine, nano; listening on http://127.0.0.1:"
    assert greeting.startswith(said)
    assert re.search(r":[1-9]\d*/? ", greeting)


def test_last_line_says_that_the_server_stopped(serve: Serve, mini: Path) -> None:
    assert serve("--model", str(mini), "--port", "0")[-1] == "stopped"


def test_built_in_model_is_the_default(serve: Serve, tmp_path: Path) -> None:
    assert serve("--port", "0")[0].startswith("loading nano;")


def test_model_that_sagemaker_brought_is_the_default_then(
    serve: Serve, mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(mini))
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "0")
    assert serve()[0].startswith(f"loading {mini.name};")


@pytest.mark.parametrize("made", [False, True])
def test_missing_or_empty_folder_of_sagemaker_leaves_the_default(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, made: bool
) -> None:
    folder = tmp_path / "model"
    if made:
        folder.mkdir()
    monkeypatch.setenv("SM_MODEL_DIR", str(folder))
    assert serve("--port", "0")[0].startswith("loading nano;")


def test_model_packed_with_a_folder_around_it_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nest" / "inner").mkdir(parents=True)
    (tmp_path / "nest" / "inner" / "config.json").write_text("{}")
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "nest"))
    assert main(["serve", "--port", "0"]) == 3
    said = capsys.readouterr().err
    assert "has no config.json" in said
    assert "inner" in said


def test_folder_of_sagemaker_that_is_none_is_named(
    fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "file"))
    assert "cannot be read: Not a directory" in fail("--port", "0")


def test_options_are_read_from_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, mini: Path
) -> None:
    monkeypatch.setenv("JINA_RERANK_MODEL", f"one={mini} two={mini}")
    monkeypatch.setenv("JINA_RERANK_PORT", "0")
    monkeypatch.setenv("JINA_RERANK_HOST", "::1")
    greeting = serve()[0]
    assert greeting.startswith("loading one, two; listening on http://[::1]:")


def test_open_server_without_keys_is_warned_about(serve: Serve, mini: Path) -> None:
    lines = serve("--host", "0.0.0.0", "--model", str(mini), "--port", "0")  # noqa: S104
    assert any(line.startswith("no key is set") for line in lines)


def test_keys_come_from_the_file_and_the_environment(
    serve: Serve, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").write_text(f"{KEY}-one\n{KEY}-two\n")
    monkeypatch.setenv("JINA_RERANK_KEYS", f"{KEY}-two {KEY}-three")
    lines = serve("--key-file", str(tmp_path / "keys"), "--model", str(mini), "--port", "0")
    assert "requests need one of 3 keys" in lines
    assert KEY not in str(lines)


def test_log_can_be_text(capsys: pytest.CaptureFixture[str], mini: Path) -> None:
    with stopped():
        assert main(["serve", "--model", str(mini), "--port", "0", "--log-format", "text"]) == 0
    assert re.match(r"\d\d:\d\d:\d\d loading ", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", ""), "NAME=MODEL"),
        (("--model", "turbo", "--model", "a=turbo"), "two models are called"),
        (("--allowed-host", "a:80"), "--allowed-host"),
        (("--cors-origin", "a"), "--cors-origin"),
        (("--log-format", "xml"), "json or text"),
        (("--dtype", "int3"), "dtype"),
        (("--port", "70000"), "port"),
        (("--key-file", "empty"), "at least 16 characters"),
        (("--key-file", "missing"), "'missing' cannot be read"),
    ],
)
def test_mistake_is_named_before_anything_is_started(
    fail: Fail,
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("")
    assert said in fail(*arguments)


def test_bad_key_of_the_environment_is_named_by_its_variable(
    fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JINA_RERANK_KEYS", "short")
    said = fail()
    assert "JINA_RERANK_KEYS: key 1" in said
    assert "short" not in said


def test_device_that_is_not_there_is_a_mistake(fail: Fail, mini: Path) -> None:
    said = fail("--model", str(mini), "--port", "0", "--device", "cuda:99")
    assert "device 'cuda:99' is not available" in said


def test_help_says_once_how_the_environment_sets_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--max-body as JINA_RERANK_MAX_BODY" in said
    assert "env var:" not in said
