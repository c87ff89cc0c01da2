import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jina_rerank_lab import store as stores
from jina_rerank_lab.store import Store

from jina_rerank import Reranker
from jina_rerank.errors import JinaRerankError
from jina_rerank.testing import FakeBackend

KILLED = """
import os, signal, sys
from pathlib import Path
from jina_rerank_lab.store import Store
store = Store(Path(sys.argv[1]))
for i in range(100):
    store.set(str(i), i / 100)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_scores_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        store.set("key", 0.1)
        store.set("key", 0.2)
    with Store(tmp_path / "a.sqlite") as store:
        assert store.get("key") == 0.2
        assert store.get("other") is None


def test_vectors_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    vectors = {str(i): np.array([i, 0.5], dtype=np.float32) for i in range(1200)}
    with Store(tmp_path / "a.sqlite") as store:
        store.keep(vectors)
    with Store(tmp_path / "a.sqlite") as store:
        found = store.vectors([*vectors, "other"])
    assert {key: value.tolist() for key, value in found.items()} == {
        key: value.tolist() for key, value in vectors.items()
    }


def test_kill_loses_nothing_that_was_set(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a.sqlite"], check=False)
    assert done.returncode == -9
    with Store(tmp_path / "a.sqlite") as store:
        assert [store.get(str(i)) for i in range(100)] == [i / 100 for i in range(100)]


def test_two_stores_share_a_file(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as one, Store(tmp_path / "a.sqlite") as other:
        one.set("key", 1.0)
        other.set("more", 2.0)
        assert (other.get("key"), one.get("more")) == (1.0, 2.0)


def test_store_is_a_cache_for_a_reranker(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        one, other = FakeBackend(), FakeBackend()
        assert Reranker(backend=one, cache=store).score("red", ["a red one", "blue"]) == [1.0, 0.0]
        assert Reranker(backend=other, cache=store).score("red", ["blue", "red"])[0] == 0.0


def test_file_that_is_no_store_is_named_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look at" * 10)
    with pytest.raises(JinaRerankError, match=r"notes\.txt' cannot keep scores: .*database"):
        Store(path)
    assert path.read_text().startswith("not a database")


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JinaRerankError, match="cannot keep scores"):
        Store(tmp_path / "file" / "a.sqlite")


def test_full_disk_keeps_what_was_set_before(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.sqlite")
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages + 2}")
    kept: list[str] = []

    def fill() -> None:
        for key in map(str, range(10_000)):
            store.set(key, 0.5)
            kept.append(key)

    with pytest.raises(JinaRerankError, match="database or disk is full; what it holds stays"):
        fill()
    store.close()
    with Store(tmp_path / "a.sqlite") as again:
        assert len(kept) > 0
        assert {again.get(key) for key in kept} == {0.5}


def test_vectors_are_kept_all_or_none(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        store._database.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(JinaRerankError, match="full"):
            store.keep({str(i): np.ones(2000, dtype=np.float32) for i in range(5)})
        assert store.vectors(["0"]) == {}


@pytest.mark.parametrize(("given", "folder"), [("", ".cache"), ("elsewhere", "elsewhere")])
def test_cache_is_where_the_user_has_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, folder: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / given) if given else "")
    assert stores.file() == tmp_path / folder / "jina-rerank-lab" / "scores.sqlite"
