"""`docs/adding-a-backend.md` to the letter: its files are written, and its commands run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .packages import ROOT

PAGE = ROOT / "docs" / "adding-a-backend.md"
FILE = re.compile(
    r"^(?P<indent> *)`(?P<path>[\w./-]+\.\w+)`\n\n(?:<!-- skip: next -->\n\n)?"
    r" *(?P<ticks>```+)(?P<language>\w+)\n(?P<text>.*?)^ *(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)


def files(section: str) -> dict[str, tuple[str, str]]:
    """Return the files of a section: by path, the language and the text."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return {
        match["path"]: (
            match["language"],
            re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
        )
        for match in FILE.finditer(text)
    }


def write(folder: Path, found: dict[str, tuple[str, str]]) -> None:
    """Write files into a folder, and apply what is a difference."""
    for name, (language, text) in found.items():
        path = folder / name
        if language == "diff":
            lines = text.splitlines(keepends=True)
            before, after = ("".join(li[1:] for li in lines if li[0] == sign) for sign in "-+")
            old = path.read_text(encoding="utf-8")
            assert old.count(before) == 1, f"{name} has no line {before!r}"
            path.write_text(old.replace(before, after), encoding="utf-8")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def pytest_in(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest in a folder, with what the folder's sources hold before what is installed."""
    paths = [*(str(path) for path in folder.glob("shared/*/src")), str(folder / "src"), *sys.path]
    code = f"import sys; sys.path[:0] = {paths!r}; import pytest; sys.exit(pytest.main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that the page makes, in a folder outside this repository."""
    folder = tmp_path_factory.mktemp("outside") / "rerank-trigrams"
    folder.mkdir()
    for command in re.findall(r"^(?:mkdir -p|touch) .*$", PAGE.read_text(), re.MULTILINE):
        subprocess.run(command.split(), cwd=folder, check=True)
    write(folder, files("A package of your own"))
    return folder


def test_package_of_the_page_passes_its_tests_and_examples(package: Path) -> None:
    done = pytest_in(package, "-q")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^2[0-9] passed", done.stdout, re.MULTILINE), done.stdout


def test_package_of_the_page_has_the_files_that_the_page_counts(package: Path) -> None:
    assert len(files("A package of your own")) == 4
    assert "Write these four files." in PAGE.read_text(encoding="utf-8")
    assert (package / "src" / "rerank_trigrams" / "py.typed").read_text() == ""


def test_package_of_the_page_builds(package: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation"]
    done = subprocess.run(build, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.suffix for path in (package / "dist").iterdir()} == {".gz", ".whl"}


def test_backend_of_the_page_works_in_this_repository(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(ROOT / "shared" / "jina-rerank", tmp_path / "shared/jina-rerank", ignore=ignore)
    for name in ("test_layering.py", "test_settings.py"):
        (tmp_path / "tests" / "core").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / "core" / name, tmp_path / "tests" / "core")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    write(tmp_path, files("A backend of this repository"))
    done = pytest_in(tmp_path, "-v", "tests/core")
    assert done.returncode == 0, done.stdout
    assert "test_trigrams.py::test_misspelt_query_finds_the_word PASSED" in done.stdout
