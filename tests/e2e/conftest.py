"""Servers that clients ask, one of each kind for all tests."""

from collections.abc import Iterator

import pytest

from ..server.running import Running, serving
from .texts import MODEL

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """A server without keys."""
    with serving("--model", MODEL, "--dtype", "float32") as running:
        yield running


@pytest.fixture(scope="session")
def locked() -> Iterator[Running]:
    """A server that wants `KEY`."""
    with serving("--model", MODEL, "--dtype", "float32", JINA_RERANK_KEYS=KEY) as running:
        yield running
