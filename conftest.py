"""What every test of the suite shares: no network, and examples that run as tests."""

import importlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sybil import Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.example import NotEvaluated
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "false"  # it would ask the network

# A busy machine is no failure.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


class _Docstrings(PythonDocStringDocument):
    """A module by its path below `src`: Sybil itself takes a namespace package for a folder."""

    def import_document(self, example: Example) -> None:  # noqa: ARG002 - as Sybil has it
        below = Path(self.path).with_suffix("").as_posix().rpartition("/src/")[2]
        name = below.replace("/", ".").removesuffix(".__init__")
        self.namespace.update(vars(importlib.import_module(name)))
        self.pop_evaluator(self.import_document)
        raise NotEvaluated


_docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["*.py"],
    excludes=["tests/**"],
    document_types={".py": _Docstrings},
)
_pages = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    # A page whose blocks are files of a project: tests/suite/test_guide.py writes and runs them.
    excludes=["docs/adding-a-backend.md"],
)
pytest_collect_file = (_docstrings + _pages).pytest()


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse connections beyond this machine, unless the test is marked as needing one."""
    if {"hub", "live"} & {marker.name for marker in request.node.iter_markers()}:
        yield
        return
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_local(address[0]):
            msg = f"a test without the marker 'hub' or 'live' asked for {address[0]}"
            raise AssertionError(msg)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield


def _is_local(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback
