"""The Markdown pages of the repository, and the pieces of them that tests look at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .packages import ROOT

FENCE = re.compile(
    r"^(?P<ticks>```+)(?P<language>[\w{}-]*)[^\n]*\n(?P<text>.*?)^(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


def _pages() -> list[Path]:
    top = list(ROOT.glob("*.md"))
    docs = [path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
    packages = [*ROOT.glob("shared/*/README.md"), *ROOT.glob("packages/*/README.md")]
    return sorted([*top, *docs, *packages])


PAGES = _pages()


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: The page.
        line: The line of its opening fence.
        language: What stands after the fence.
        text: What it holds.
    """

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Name the place."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page=page, line=line, language=match["language"], text=match["text"])


def prose(page: Path) -> str:
    """Return a page without its code."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]*`", "code", text) if "[`" not in text else text


def links(page: Path) -> list[str]:
    """Return the targets of a page's links."""
    return [match["target"] for match in LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub and MyST give to a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {_slug(match["text"]) for match in HEADING.finditer(text)}


def _slug(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")
