"""TREC runs: their texts, and what of a run cannot be scored."""

import gzip
import json
import os
from pathlib import Path

import pytest

from jina_rerank import JinaRerankError
from jina_rerank.trec import Texts

from .program import Outcome, Run, Screen

CORPUS = [
    {"_id": "d1", "title": "Mars", "text": "is the red planet."},
    {"_id": "d2", "title": "", "text": "The sea."},
    {"_id": "d3", "title": None, "text": "Rust is iron."},
    {"_id": "unused", "text": "Nobody asks for this."},
    {"_id": "d4", "title": "", "text": " "},
]
QUERIES = [{"_id": "q1", "text": "Which planet is red?"}, {"_id": "q2", "text": "What is rust?"}]
RUN = """\
q2 Q0 d3 1 12.5 bm25
q2 Q0 d4 2 11.5 bm25
q1\tQ0\td2\t1\t9\tbm25

q1 Q0 d1 2 8 bm25
"""
COMMAND = ["score", "bm25.run", "--output", "out.jsonl", "--corpus", "corpus.jsonl"]
COMMAND += ["--queries", "queries.jsonl", "--dtype", "float32"]


@pytest.fixture
def score(run: Run, tmp_path: Path) -> Run:
    """Score a run."""
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, CORPUS)))
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, QUERIES)))

    def score(content: str = RUN, *more: str, stdin: bytes = b"") -> Outcome:
        (tmp_path / "bm25.run").write_text(content)
        return run(*COMMAND, *more, stdin=stdin)

    return score


def scored(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def test_run_gives_a_line_for_each_query_in_its_order(score: Run, tmp_path: Path) -> None:
    outcome = score()
    assert (outcome.code, outcome.err) == (0, "")
    lines = scored(tmp_path)
    assert [list(line) for line in lines] == [
        ["query_id", "documents", "scores", "model", "model_settings"]
    ] * 2
    assert [line["query_id"] for line in lines] == ["q2", "q1"]
    assert [line["documents"] for line in lines] == [["d3", "d4"], ["d2", "d1"]]
    first, second = [line["scores"] for line in lines]
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert first[1] == 0.0  # a blank document
    assert second[1] > second[0]


def test_document_is_its_title_and_text(score: Run, run: Run, tmp_path: Path) -> None:
    score()
    line = {"query": "Which planet is red?", "documents": ["The sea.", "Mars is the red planet."]}
    plain = run("score", "-", "-o", "-", "--dtype", "float32", stdin=json.dumps(line).encode())
    assert scored(tmp_path)[1]["scores"] == pytest.approx(json.loads(plain.out)["scores"], abs=1e-6)


def test_gzip_of_each_file_is_read(score: Run, tmp_path: Path) -> None:
    score()
    plain = (tmp_path / "out.jsonl").read_bytes()
    (tmp_path / "out.jsonl").unlink()
    for name in ("corpus.jsonl", "queries.jsonl"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    options = ["--corpus", "corpus.jsonl.gz", "--queries", "queries.jsonl.gz"]
    assert score(RUN, *options).code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == plain


def test_torn_output_of_a_run_is_completed(score: Run, tmp_path: Path) -> None:
    score()
    whole = scored(tmp_path)
    os.truncate(tmp_path / "out.jsonl", (tmp_path / "out.jsonl").stat().st_size - 20)
    outcome = score()
    assert outcome.code == 0
    assert outcome.err == "jina-rerank: going on after 1 line of 'out.jsonl'\n"
    again = scored(tmp_path)
    assert again[1].pop("scores") == pytest.approx(whole[1].pop("scores"), abs=1e-6)
    assert again == whole
    assert "is complete, 2 lines" in score().err


@pytest.mark.parametrize(
    ("line", "reason", "documents"),
    [
        ("q1 Q0 d1 3 7", "has 5 columns; a TREC run has 6: query Q0 document rank score tag", 4),
        ("q1 Q0 none 3 7 x", "document 'none' is not in 'corpus.jsonl'", 4),
        ("q1 Q0 d1 3 7 x", "document 'd1' stands further up too for this query", 4),
        ("q9 Q0 d1 3 7 x", "query 'q9' is not in 'queries.jsonl'", 4),
        ("q2 Q0 d1 3 7 x", "query 'q2' stands further up too; sort the run by query", 4),
        ("a\0b", "a NUL byte at column 2, which is not text", 4),
    ],
)
def test_bad_line_of_a_run_is_named_and_the_others_scored(
    score: Run, tmp_path: Path, line: str, reason: str, documents: int
) -> None:
    spaces = " " * 200_000  # else the NUL would make it a binary file
    outcome = score(f"{RUN}{spaces}\n{line}\n")
    assert outcome.code == 1
    assert outcome.err == f"jina-rerank: bm25.run:7: {reason}\n"
    found = [line["documents"] for line in scored(tmp_path)]
    assert sum(len(names) for names in found if isinstance(names, list)) == documents


def test_query_without_any_document_gets_no_line(score: Run, tmp_path: Path) -> None:
    outcome = score(RUN.replace("d2", "none").replace("d1", "none2"))
    assert outcome.code == 1
    assert [line["query_id"] for line in scored(tmp_path)] == ["q2"]


def test_blank_query_is_a_bad_line(score: Run, tmp_path: Path) -> None:
    queries = [QUERIES[0], {"_id": "q2", "text": " "}]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    outcome = score()
    assert (outcome.code, outcome.err) == (1, "jina-rerank: bm25.run:1: query must not be blank\n")
    assert [line["query_id"] for line in scored(tmp_path)] == ["q1"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[", "broken JSON at column 2"),
        ('{"text": "a"}', "has no field '_id'; it has 'text'"),
        ('{"_id": 1, "text": "a"}', "field '_id' is not a string but a number"),
        ('{"_id": "d1", "title": 1, "text": "a"}', "field 'title' is not a string but a number"),
        (r'{"_id": "d1", "text": "\ud800"}', r"half of a surrogate pair, \ud800"),
        ("\x80", "invalid UTF-8: byte 0x80 at column 1"),
    ],
)
@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_bad_line_of_the_corpus_is_named(
    score: Run, tmp_path: Path, line: str, reason: str, strict: list[str]
) -> None:
    with (tmp_path / "corpus.jsonl").open("ab") as corpus:
        corpus.write(f"\n\n{line}\n".encode("latin-1"))
    outcome = score(RUN, *strict)
    assert outcome.code == 1
    assert outcome.err.startswith("jina-rerank: corpus.jsonl:7: ")
    assert reason in outcome.err
    assert (tmp_path / "out.jsonl").exists() == (not strict)


def test_run_without_any_row_names_its_lines(score: Run, tmp_path: Path) -> None:
    outcome = score("query document\n")
    assert outcome.code == 1
    assert outcome.err.startswith("jina-rerank: bm25.run:1: has 2 columns")


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        ("q1 Q0 x1 1 1 x", [], "'corpus.jsonl' has none of the documents that 'bm25.run' names"),
        ("x1 Q0 d1 1 1 x", [], "'queries.jsonl' has none of the queries that 'bm25.run' names"),
        (RUN, ["--corpus", "none.jsonl"], "there is no file 'none.jsonl'"),
        (RUN, ["--corpus", "-", "--queries", "-"], "standard input ('-') can be read only once"),
        (RUN, ["--output", "corpus.jsonl"], "--output 'corpus.jsonl' is an input too"),
        (RUN, ["--text-field", "body"], "--query-field, --documents-field and --text-field are"),
        ("\n", [], "there is nothing to score in 'bm25.run'"),
    ],
)
def test_run_that_cannot_be_scored_is_refused(
    score: Run, tmp_path: Path, content: str, more: list[str], message: str
) -> None:
    outcome = score(content, *more)
    assert outcome.code == 2
    assert outcome.err.startswith(f"jina-rerank: {message}")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out.jsonl").exists()


def test_run_from_a_pipe_is_refused(run: Run) -> None:
    outcome = run("score", "-", *COMMAND[2:])
    assert outcome.code == 2
    assert "a TREC run is read twice, so standard input has to be a file" in outcome.err


def test_corpus_from_standard_input_is_read(score: Run, tmp_path: Path) -> None:
    content = "\n".join(map(json.dumps, CORPUS)).encode()
    assert score(RUN, "--corpus", "-", stdin=content).code == 0
    assert len(scored(tmp_path)) == 2


def test_terminal_shows_that_the_corpus_is_read(
    score: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert score().code == 0
    assert "Reading corpus.jsonl" in screen.getvalue()


def test_texts_without_room_are_one_error() -> None:
    texts = Texts()
    texts._database.execute("PRAGMA max_page_count = 3")
    texts.want("d1")
    with pytest.raises(JinaRerankError, match=r"no room for the texts of the run.*SQLITE_TMPDIR"):
        texts.put("d1", "x" * 100_000)
