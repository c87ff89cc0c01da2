"""Fixtures of the core's tests."""

import io
import sys
from pathlib import Path

import pytest

from jina_rerank.cli import main

from .program import Outcome, Run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the program in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(arguments)
        out, err = capsys.readouterr()
        return Outcome(code=code, out=out, err=err)

    return run


@pytest.fixture
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the keys of services out of the environment."""
    for name in ("JINA_API_KEY", "JINAAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
