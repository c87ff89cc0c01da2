"""Scores kept between calls: what is asked again, under which key, and how much is kept."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jina_rerank import CheckpointError, JinaRerankError, Reranker, Scores
from jina_rerank.cache import LeastRecentlyUsed
from jina_rerank.testing import FakeBackend, RerankerContract

QUERY = "red planet"


class Store:
    """A cache of the user's own."""

    def __init__(self) -> None:
        self.scores: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.scores.get(key)

    def set(self, key: str, value: float) -> None:
        self.scores[key] = value


class Nameless(FakeBackend):
    """A backend that does not say what its scores depend on."""

    def identity(self) -> str:
        return super(FakeBackend, self).identity()


class TestCachedRerankerOverFake(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return Reranker(backend=FakeBackend(), cache=3)


class TestCachedRerankerOverNano(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return Reranker("nano", cache=100)


def test_only_new_texts_are_asked() -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend, cache=10)
    assert reranker.score(QUERY, ["a red planet", "the sea"]) == [1.0, 0.0]
    assert reranker.score(QUERY, ["the sea", "", "a planet", "a red planet"]) == [0, 0, 0.5, 1]
    assert backend.requests == [(QUERY, ["a red planet", "the sea"]), (QUERY, ["a planet"])]


def test_known_texts_make_no_call_and_cost_no_tokens() -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend, cache=10)
    first = reranker.rank(QUERY, ["the sea", "a red planet"])
    again = reranker.rank(QUERY, ["the sea", "a red planet"])
    assert len(backend.requests) == 1
    assert first.usage.total_tokens > 0
    assert again.usage.total_tokens == 0
    assert again.results == first.results


def test_repeated_texts_are_asked_once() -> None:
    backend = FakeBackend()
    scores = Reranker(backend=backend, cache=10).score(QUERY, ["red", "sea", "red", "red"])
    assert scores == [0.5, 0.0, 0.5, 0.5]
    assert backend.requests == [(QUERY, ["red", "sea"])]


def test_another_query_is_another_score() -> None:
    reranker = Reranker(backend=FakeBackend(), cache=10)
    assert reranker.score("red", ["red sea"]) == [1.0]
    assert reranker.score("blue", ["red sea"]) == [0.0]


def test_where_the_query_ends_is_part_of_the_key() -> None:
    store = Store()
    reranker = Reranker(backend=FakeBackend(), cache=store)
    reranker.score("ab", ["c"])
    reranker.score("a", ["bc"])
    assert len(store.scores) == 2


def test_many_requests_share_the_cache() -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend, cache=10)
    reranker.score("red", ["red"])
    scores = reranker.score_many([("red", ["red", "sea"]), ("red", []), ("sea", ["sea"])])
    assert scores == [[1.0, 0.0], [], [1.0]]
    assert backend.requests[1:] == [("red", ["sea"]), ("sea", ["sea"])]


async def test_async_calls_use_the_cache() -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend, cache=10)
    assert await reranker.ascore(QUERY, ["a red planet"]) == [1.0]
    assert [item.score for item in await reranker.arank(QUERY, ["a red planet", "sea"])] == [1, 0]
    assert await reranker.ascore(QUERY, ["sea"]) == [0.0]
    assert backend.requests == [(QUERY, ["a red planet"]), (QUERY, ["sea"])]


def test_without_a_cache_everything_is_asked_again() -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend)
    reranker.score(QUERY, ["sea", "sea"])
    reranker.score(QUERY, ["sea"])
    assert backend.requests == [(QUERY, ["sea", "sea"]), (QUERY, ["sea"])]


def test_least_recently_used_score_makes_room() -> None:
    cache = LeastRecentlyUsed(2)
    cache.set("a", 1.0)
    cache.set("b", 2.0)
    assert cache.get("a") == 1.0
    cache.set("c", 3.0)
    assert [cache.get(key) for key in "abc"] == [1.0, None, 3.0]
    cache.set("a", 4.0)
    assert [cache.get(key) for key in "ac"] == [4.0, 3.0]


def test_request_larger_than_the_cache_is_answered_whole() -> None:
    texts = [f"red {i}" for i in range(50)]
    reranker = Reranker(backend=FakeBackend(), cache=np.int64(3))
    assert reranker.score(QUERY, texts) == [0.5] * 50
    assert reranker.score(QUERY, texts) == [0.5] * 50


def test_threads_share_a_small_cache() -> None:
    reranker = Reranker(backend=FakeBackend(), cache=4)
    texts = ["red", "planet", "red planet", "sea", "red sea", "blue planet"]
    expected = Reranker(backend=FakeBackend()).score(QUERY, texts)
    with ThreadPoolExecutor(8) as pool:
        assert all(
            found == expected for found in pool.map(reranker.score, [QUERY] * 200, [texts] * 200)
        )


def test_own_store_is_shared_and_may_give_text() -> None:
    store = Store()
    Reranker(backend=FakeBackend(), cache=store).score(QUERY, ["a red planet"])
    (key,) = store.scores
    assert len(bytes.fromhex(key)) == 32
    store.scores[key] = b"0.25"  # as Redis returns what it was given
    backend = FakeBackend()
    assert Reranker(backend=backend, cache=store).score(QUERY, ["a red planet"]) == [0.25]
    assert backend.requests == []


def test_nan_in_a_store_is_asked_again() -> None:
    store = Store()
    reranker = Reranker(backend=FakeBackend(), cache=store)
    reranker.score(QUERY, ["a red planet"])
    store.scores = dict.fromkeys(store.scores, float("nan"))
    assert reranker.score(QUERY, ["a red planet"]) == [1.0]
    assert list(store.scores.values()) == [1.0]


def test_failure_of_the_backend_keeps_nothing() -> None:
    class Broken(FakeBackend):
        def score(self, query: str, documents: Sequence[str]) -> Scores:
            super().score(query, documents)
            return Scores(values=[float("nan")] * len(documents))

    store = Store()
    with pytest.raises(CheckpointError, match=r"NaN, first documents\[1\]"):
        Reranker(backend=Broken(), cache=store).score(QUERY, ["", "a red planet"])
    failing = Reranker(backend=FakeBackend(error=JinaRerankError("down")), cache=store)
    with pytest.raises(JinaRerankError, match="down"):
        failing.score(QUERY, ["a red planet"])
    assert store.scores == {}


def test_store_of_ones_own_needs_a_backend_that_says_what_it_is() -> None:
    reranker = Reranker(backend=Nameless(), cache=Store(), on_error="keep-order")
    with pytest.raises(ValueError, match=r"override Backend\.identity, or give cache a number"):
        reranker.rank(QUERY, ["sea"])
    assert Reranker(backend=Nameless(), cache=2).score(QUERY, ["red"]) == [0.5]


def test_local_keys_follow_the_content_and_what_changes_scores(mini: Path, tmp_path: Path) -> None:
    def keys(directory: Path, **settings: Any) -> set[str]:
        store = Store()
        Reranker(directory, cache=store, **settings).score(QUERY, ["a red planet"])
        return set(store.scores)

    base = keys(mini, dtype="float32")
    copy = Path(shutil.copytree(mini, tmp_path / "copy"))
    assert keys(copy, dtype="float32", batch_tokens=1, top_n=1) == base
    others = [
        keys(mini, dtype="float64"),
        keys(mini, dtype="float32", max_length=100),
        keys(mini, dtype="float32", max_query_length=50),
        keys(mini, dtype="float32", overlength="window"),
        keys(mini, dtype="float32", overlength="window", overlap=3),
    ]
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    others.append(keys(copy, dtype="float32"))
    assert len(set.union(base, *others)) == 1 + len(others)


def test_forked_child_starts_with_an_empty_cache_and_a_free_lock() -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend, cache=10)
    reranker.score(QUERY, ["sea"])
    cache = reranker._cache
    assert isinstance(cache, LeastRecentlyUsed)
    with cache._lock:  # as another thread of the parent might at the time of the fork
        child = os.fork()
        if child == 0:
            ok = reranker.score(QUERY, ["sea"]) == [0.0] and len(backend.requests) == 2
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_closing_frees_the_scores_even_during_a_call() -> None:
    class Closing(FakeBackend):
        def score(self, query: str, documents: Sequence[str]) -> Scores:
            reranker.close()
            return super().score(query, documents)

    reranker = Reranker(backend=Closing(), cache=10)
    assert reranker.score(QUERY, ["red"]) == [0.5]
    assert reranker._cache is None
    reranker = Reranker(backend=Closing(), cache=10)
    assert asyncio.run(reranker.ascore(QUERY, ["red"])) == [0.5]
