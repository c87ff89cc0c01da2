from pathlib import Path

import pytest
from jina_rerank_lab import embedders
from jina_rerank_lab.rerankers import find
from jina_rerank_lab.store import Store

DOCS = ["The sea is blue.", "Mars is a red planet.", "The sea is blue."]
QUERY = "Which planet is red?"


def test_none_keeps_the_order() -> None:
    reranker = find("none")
    assert [item.index for item in reranker.rank(QUERY, DOCS)] == [0, 1, 2]


def test_cosine_is_the_product_of_the_vectors(encoder: Path) -> None:
    embedder = embedders.find(str(encoder))
    expected = embedder.encode(DOCS) @ embedder.encode([QUERY])[0]
    assert find(f"bi:{encoder}").score(QUERY, DOCS) == pytest.approx(expected.tolist(), abs=1e-5)


def test_cosine_reads_a_text_of_several_queries_once(encoder: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        reranker = find(f"bi:{encoder}", store=store)
        first = reranker.score(QUERY, DOCS)
        reranker.score("And which is blue?", DOCS)
        count = store._database.execute("SELECT count(*) FROM vector").fetchone()
        assert count == (4,)  # two texts, two queries
        assert find(f"bi:{encoder}", store=store).score(QUERY, DOCS) == first


def test_cosine_of_another_model_has_another_identity(encoder: Path) -> None:
    reranker = find(f"bi:{encoder}", options={"device": "cpu"})
    reranker.load()
    backend = reranker.settings.backend
    assert not isinstance(backend, str)
    assert backend is not None
    assert backend.identity().startswith("cosine mean ")


def test_none_has_an_identity() -> None:
    backend = find("none").settings.backend
    assert not isinstance(backend, str)
    assert backend is not None
    assert backend.identity() == "none"


def test_directory_is_a_model_whose_scores_are_kept(mini: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        scores = find(str(mini), store=store, options={"dtype": "float32"}).score(QUERY, DOCS)
        count = store._database.execute("SELECT count(*) FROM score").fetchone()
        assert count == (2,)
    again = find(str(mini), options={"dtype": "float32"}).score(QUERY, DOCS)
    assert again == pytest.approx(scores, abs=1e-5)


def test_options_go_where_they_have_a_meaning() -> None:
    options = {"max_length": 64, "base_url": "http://localhost:1"}
    local, remote = find("nano", options=options), find("api:turbo", options=options)
    assert (local.settings.max_length, local.settings.base_url) == (64, None)
    assert (remote.settings.max_length, remote.settings.base_url) == (None, "http://localhost:1")
    assert (local.settings.backend_name, remote.settings.backend_name) == ("local", "api")


def test_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown"):
        find("nano", options={"unknown": 1})
