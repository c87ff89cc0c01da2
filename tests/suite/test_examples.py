"""Examples run as tests only where they are collected: here it is checked that all of them are."""

import inspect
import re
import subprocess
import sys
from collections import Counter
from dataclasses import is_dataclass

import pytest

import jina_rerank
from jina_rerank import testing

from .packages import PACKAGES, ROOT
from .pages import PAGES, blocks

RUN_AS_FILES = ROOT / "docs" / "adding-a-backend.md"
"""Its blocks are files of a project, which `test_guide.py` writes and runs."""

HIDDEN = re.compile("<!--+ (?:skip|invisible-code-block): ")
"""What a reader does not see: a skipped block, or one that prepares the next."""


@pytest.fixture(scope="module")
def collected() -> Counter[str]:
    """How many examples pytest collects, by file."""
    places = ["README.md", "docs", "shared", "packages"]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    command += [place for place in places if (ROOT / place).exists()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    return Counter(re.findall(r"^(\S+)::line:\d+,column:\d+$", done.stdout, re.MULTILINE))


def test_every_python_block_of_every_page_is_collected(collected: Counter[str]) -> None:
    hidden = {page: len(HIDDEN.findall(page.read_text(encoding="utf-8"))) for page in PAGES}
    expected = {
        str(page.relative_to(ROOT)): count + hidden[page]  # each is collected as well
        for page in PAGES
        if page != RUN_AS_FILES
        and (count := sum(block.language in {"python", "py"} for block in blocks(page)))
    }
    assert "README.md" in expected
    assert {page: collected[page] for page in expected} == expected


def test_every_doctest_of_every_module_is_collected(collected: Counter[str]) -> None:
    modules = [path for package in PACKAGES for path in package.source.rglob("*.py")]
    expected = {
        str(path.relative_to(ROOT)): count
        for path in modules
        if (count := len(re.findall(r"^ *>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)))
    }
    assert "shared/jina-rerank/src/jina_rerank/reranker.py" in expected
    assert {path: collected[path] for path in expected} == expected


def test_every_class_that_does_something_has_an_example() -> None:
    """Errors and plain values do nothing; a contract's example is that of its module."""
    public = [getattr(jina_rerank, name) for name in jina_rerank.__all__]
    classes = [value for value in (*public, testing.FakeBackend) if inspect.isclass(value)]
    active = [
        value for value in classes if not issubclass(value, Exception) and not is_dataclass(value)
    ]
    assert {jina_rerank.Reranker, jina_rerank.Backend, testing.FakeBackend} <= set(active)
    assert [value.__name__ for value in active if ">>> " not in (inspect.getdoc(value) or "")] == []
