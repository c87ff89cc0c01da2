"""Fixtures of the lab's tests."""

import gzip
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from jina_rerank_lab.cli import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the program ended, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]
Rows = Sequence[Mapping[str, object]]
Make = Callable[..., Path]

CORPUS: Rows = (
    {"_id": "mars", "title": "Mars", "text": "Mars is a red planet."},
    {"_id": "sea", "title": "", "text": "The sea is blue and deep."},
    {"_id": "bread", "title": None, "text": "Bread rises because yeast makes gas."},
    {"_id": "rust", "text": "Rust is red because iron meets air."},
)
QUERIES: Rows = (
    {"_id": "q1", "text": "Which planet is red?"},
    {"_id": "q2", "text": "Why does bread rise?"},
    {"_id": "q3", "text": "How deep is the sea?"},
)
QRELS = ("query-id\tcorpus-id\tscore", "q1\tmars\t2", "q1\trust\t1", "q2\tbread\t1", "q2\tsea\t0")


def lines(rows: Rows) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a collection of four documents and two judged queries, or what is given instead."""

    def make(  # noqa: PLR0913 - the parts of a collection
        name: str = "planets",
        *,
        corpus: Rows | str = CORPUS,
        queries: Rows | str = QUERIES,
        qrels: Sequence[str] = QRELS,
        split: str = "test",
        packed: bool = False,
    ) -> Path:
        folder = tmp_path / name
        files = {
            "corpus.jsonl": corpus if isinstance(corpus, str) else lines(corpus),
            "queries.jsonl": queries if isinstance(queries, str) else lines(queries),
            f"qrels/{split}.tsv": "".join(f"{line}\n" for line in qrels),
        }
        for file, text in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode()))
            else:
                path.write_text(text)
        return folder

    return make


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the program in this process, in an empty folder that also holds the user's cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(code=code, out=out, err=err)

    return run


@pytest.fixture(scope="session")
def encoder(mini: Path) -> Path:
    """A small JinaBERT as an embedding model: the files of a reranker, whose head is not read."""
    return mini
