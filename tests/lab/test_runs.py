import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jina_rerank_lab import runs

from jina_rerank.errors import JinaRerankError
from jina_rerank.lines import InputError, LineError

names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5)
scores = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(names, st.dictionaries(names, scores, min_size=1), min_size=1))
def test_run_that_is_written_reads_the_same(run: dict[str, dict[str, float]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.trec"
        runs.write(path, run, tag="x")
        assert runs.read(path) == run


def test_lines_are_those_of_trec_with_ranks_from_1(tmp_path: Path) -> None:
    path = tmp_path / "a.trec"
    runs.write(path, {"q": {"a": 1.0, "b": 2.5}}, tag="my model")
    assert path.read_text() == "q Q0 b 1 2.5 my_model\nq Q0 a 2 1.0 my_model\n"


def test_compressed_run_of_four_columns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"q\ta\t1\t0.5\n\nq\tb\t2\t0.25\n"))
    assert runs.read(path) == {"q": {"a": 0.5, "b": 0.25}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q Q0 a", "has 3 columns; a TREC run has 6: query Q0 document rank score tag"),
        ("q Q0 b 2 high x", "its score 'high' is not a number"),
        ("q Q0 b 2 nan x", "its score 'nan' is not a number"),
        ("q Q0 a 2 0.5 x", "document 'a' stands further up too for query 'q'"),
    ],
)
def test_bad_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "a.run"
    path.write_text(f"q Q0 a 1 1.0 x\n{line}\n")
    with pytest.raises(InputError) as caught:
        runs.read(path)
    assert str(caught.value) == f"{path}:2: {reason}"


def test_what_the_caller_refuses_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.run"
    path.write_text("q Q0 a 1 1.0 x\n")

    def check(query: str, document: str) -> None:
        msg = f"{query} and {document} do not go together"
        raise LineError(msg)

    with pytest.raises(InputError, match=r"a\.run:1: q and a do not go together"):
        runs.read(path, check=check)


def test_cut_keeps_the_best_and_breaks_ties_as_trec_eval_does() -> None:
    assert runs.cut({"q": {"a": 1.0, "b": 1.0, "c": 0.5}}, 1) == {"q": {"b": 1.0}}


def test_run_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(JinaRerankError, match="cannot be written"):
        runs.write(tmp_path / "file" / "a.trec", {}, tag="x")
    assert (tmp_path / "file").read_text() == "kept"
