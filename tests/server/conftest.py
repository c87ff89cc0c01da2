"""Fixtures shared by the tests of the server."""

import logging

import pytest
from jina_rerank_server.logs import LOGGER


@pytest.fixture
def _loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the loggers back as they were."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(logging.getLogger(LOGGER), "level", logging.NOTSET)
