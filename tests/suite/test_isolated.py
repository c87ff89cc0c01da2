"""Each package says what passes with it alone, and no test is forgotten there."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from .packages import PACKAGES, ROOT, Package

WHOLE = {"bench", "e2e", "fixtures", "suite"}
"""Folders of tests/ that are about the suite as a whole, or hold no tests."""


def tables(package: Package) -> list[dict[str, Any]]:
    project = tomllib.loads((package.path / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = project.get("tool", {}).get("jina-rerank", {}).get("isolated", [])
    return found


def paths() -> list[Path]:
    """Return what is tested or type-checked with any package alone."""
    keys = ("tests", "typing")
    named = [
        table.get(key, []) for package in PACKAGES for table in tables(package) for key in keys
    ]
    return [ROOT / path for group in named for path in group]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_says_what_passes_with_it_alone(package: Package) -> None:
    found = tables(package)
    assert found, "pyproject.toml lacks [[tool.jina-rerank.isolated]]: see CONTRIBUTING.md"
    for table in found:
        assert table.keys() <= {"extra", "tests", "typing", "needs"}
        assert table["tests"]


def test_paths_that_are_named_exist() -> None:
    assert [path for path in paths() if not path.exists()] == []


def test_every_test_belongs_to_a_package() -> None:
    files = [
        path
        for pattern in ("test_*.py", "typing/*.py")
        for path in (ROOT / "tests").rglob(pattern)
        if path.relative_to(ROOT / "tests").parts[0] not in WHOLE
    ]
    covered = set(paths())
    assert [path for path in files if not {path, *path.parents} & covered] == []
