import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from jina_rerank_lab import embedders
from jina_rerank_lab.embedders import INSTRUCTIONS, MINILM, Kept, SentenceEmbedder, find
from jina_rerank_lab.embedding_service import ServiceEmbedder
from jina_rerank_lab.jina_encoder import JinaEncoder
from jina_rerank_lab.store import Store
from numpy.typing import NDArray

from jina_rerank.errors import ModelNotFoundError

TEXTS = ["Mars is red.", "The sea is blue."]


class Hashes:
    """An embedder of three numbers, which remembers what it was given."""

    name = "hashes"

    def __init__(self) -> None:
        self.given: list[tuple[str, bool]] = []

    def identity(self) -> str:
        return "hashes"

    def encode(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        self.given += [(text, query) for text in texts]
        rows = [list(hashlib.sha256(text.encode()).digest()[:3]) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), 3)


@pytest.fixture(scope="module")
def minilm() -> SentenceEmbedder:
    return SentenceEmbedder(MINILM, device="cpu")


def test_vectors_are_one_row_of_length_1_for_each_text(minilm: SentenceEmbedder) -> None:
    vectors = minilm.encode(TEXTS)
    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_vectors(minilm: SentenceEmbedder) -> None:
    assert len(minilm.encode([])) == 0


def test_query_of_a_model_without_instruction_is_read_as_it_is(minilm: SentenceEmbedder) -> None:
    queries = minilm.encode(TEXTS, query=True)
    assert queries == pytest.approx(minilm.encode(TEXTS), abs=1e-6)


def test_query_of_bge_follows_its_instruction(minilm: SentenceEmbedder, tmp_path: Path) -> None:
    (tmp_path / "bge-small").symlink_to(embedders.place(MINILM))
    bge = SentenceEmbedder(str(tmp_path / "bge-small"), device="cpu")
    expected = minilm.encode([INSTRUCTIONS["bge-"] + TEXTS[0]])
    assert bge.encode(TEXTS[:1], query=True) == pytest.approx(expected, abs=1e-6)
    assert bge.encode(TEXTS) == pytest.approx(minilm.encode(TEXTS), abs=1e-6)
    assert bge.identity() != minilm.identity()


def test_identity_is_made_once_and_of_the_weights(minilm: SentenceEmbedder) -> None:
    assert minilm.identity() == minilm.identity()
    assert len(minilm.identity().split()[0]) == 64


def test_directory_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no embedding model"):
        SentenceEmbedder(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ("bge-base-en-v1.5", "BAAI/bge-base-en-v1.5"),
        ("BAAI/bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"),
    ],
)
def test_short_names_are_those_of_the_hub(spec: str, place: str) -> None:
    assert embedders.place(spec) == place


def test_minilm_comes_from_the_hub_where_no_package_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedders, "MINILM_PACKAGE", "no_such_package")
    assert embedders.place(MINILM) == "sentence-transformers/all-MiniLM-L6-v2"


def test_names_find_what_runs_them(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHERE_API_KEY", "made-up")
    assert isinstance(find(str(encoder)), JinaEncoder)
    assert isinstance(find("api:embed-english-v3.0"), ServiceEmbedder)
    assert isinstance(find(MINILM), SentenceEmbedder)


def test_store_keeps_what_is_found(encoder: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        kept = find(str(encoder), store=store)
        assert kept.name == str(encoder)
        assert kept.encode(TEXTS).tolist() == find(str(encoder)).encode(TEXTS).tolist()


def test_text_is_encoded_once_also_by_the_next_run(tmp_path: Path) -> None:
    one, other = Hashes(), Hashes()
    with Store(tmp_path / "a.sqlite") as store:
        first = Kept(one, store).encode(["a", "b", "a"])
        again = Kept(other, store).encode(["b", "c"])
    assert one.given == [("a", False), ("b", False)]
    assert other.given == [("c", False)]
    assert first.tolist() == Hashes().encode(["a", "b", "a"]).tolist()
    assert again.tolist() == Hashes().encode(["b", "c"]).tolist()


def test_query_and_passage_are_kept_apart(tmp_path: Path) -> None:
    embedder = Hashes()
    with Store(tmp_path / "a.sqlite") as store:
        kept = Kept(embedder, store)
        kept.encode(["a"])
        kept.encode(["a"], query=True)
        kept.encode(["a"], query=True)
    assert embedder.given == [("a", False), ("a", True)]


def test_many_texts_are_kept_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedders, "CHUNK", 2)
    texts = [str(i) for i in range(5)]
    with Store(tmp_path / "a.sqlite") as store:
        found = Kept(Hashes(), store).encode(texts)
    assert found.tolist() == Hashes().encode(texts).tolist()


def test_nothing_is_asked_for_no_texts(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        assert Kept(Hashes(), store).encode([]).shape == (0, 0)
