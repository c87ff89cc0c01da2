"""Links of README, docs and the packages' own pages lead somewhere."""

from pathlib import Path

import pytest

from .packages import ROOT
from .pages import PAGES, anchors, links

EXTERNAL = ("https://", "http://", "mailto:")


def broken(page: Path) -> list[str]:
    """Name the links of a page to files or headings that do not exist."""
    found = []
    for target in links(page):
        if target.startswith(EXTERNAL):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_package_pages_have_no_relative_links() -> None:
    """A package index shows them, and has none of the other files."""
    own = [page for page in PAGES if page.parent.parent.name in {"shared", "packages"}]
    assert len(own) >= 1
    for page in own:
        assert [target for target in links(page) if not target.startswith(EXTERNAL)] == [], page


def test_readme_links_to_the_docs() -> None:
    assert len([target for target in links(ROOT / "README.md") if "docs/" in target]) >= 3


def test_broken_links_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, here\n[a](#a-title-here) [b](#none) [c](other.md) [d](page.md#a-title-here)\n"
        "[`e`](gone/) [f](https://example.org)\n```text\n[not](a-link)\n```\n"
    )
    assert broken(page) == ["#none", "other.md", "gone/"]
