"""What every test of the suite shares: no network, and examples that run as tests."""

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent

_docstrings = Sybil(
    parsers=[DocTestParser()], patterns=["*.py"], path=str(ROOT / "shared"), excludes=["**/tests/**"]
)
_pages = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    excludes=[".nox/**", ".venv/**", "tests/**", "CHANGELOG.md"],
)
