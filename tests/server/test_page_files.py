"""The page's files ask nobody else, and never turn text into markup."""

import re
from pathlib import Path

import jina_rerank_server
import pytest

FILES = sorted((Path(jina_rerank_server.__file__).parent / "page").iterdir())
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\b(eval|Function)\(")
INLINE = re.compile(r"<script(?![^>]*src=)|\son\w+=|\sstyle=")
ADDRESS = re.compile(r"https?://(?!www\.w3\.org/2000/svg)")


def test_page_has_files() -> None:
    assert {path.suffix for path in FILES} == {".html", ".css", ".js", ".svg"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_names_no_other_address(path: Path) -> None:
    assert not ADDRESS.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_makes_no_markup_of_text_and_needs_no_inline_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not MARKUP.search(text)
    assert not INLINE.search(text)
