"""What every test of the suite shares: no network, and examples that run as tests."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

# A busy machine is no failure.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

_docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["*.py"],
    excludes=["tests/**"],
    document_types={".py": PythonDocStringDocument},
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
