import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jina_rerank_lab.bm25 import BM25, best


def test_score_is_that_of_the_formula_of_lucene() -> None:
    texts = ["cat dog", "cat cat cat", "mouse"]
    k1, b, mean = 0.9, 0.4, 2.0
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = [
        idf * count / (count + k1 * (1 - b + b * length / mean))
        for count, length in ((1, 2), (3, 3))
    ]
    assert BM25(texts).scores("cat").tolist() == pytest.approx([*expected, 0.0], rel=1e-6)


def test_word_of_the_query_that_stands_twice_counts_twice() -> None:
    index = BM25(["cat dog", "mouse"])
    assert index.scores("cat cat")[0] == pytest.approx(2 * index.scores("cat")[0])


def test_search_finds_only_what_shares_a_word() -> None:
    assert [i for i, _ in BM25(["red planets", "the sea", "a planet"]).search("planet", 10)] == [
        2,
        0,
    ]


def test_depth_limits_what_is_found() -> None:
    assert len(BM25(["planet"] * 5 + ["sea"]).search("planet", 3)) == 3


def test_equal_texts_come_in_their_order() -> None:
    assert [i for i, _ in BM25(["sea", "cat", "sea", "sea"]).search("sea", 2)] == [0, 2]


@pytest.mark.parametrize("query", ["", "the", "zebra", "?!"])
def test_query_without_a_known_word_finds_nothing(query: str) -> None:
    assert BM25(["the cat", "the dog"]).search(query, 5) == []


@pytest.mark.parametrize("texts", [[], ["", "the"]])
def test_texts_without_words_are_never_found(texts: list[str]) -> None:
    index = BM25(texts)
    assert index.scores("cat").tolist() == [0.0] * len(texts)
    assert index.search("cat", 3) == []


@given(
    st.lists(st.integers(0, 3), max_size=30),
    st.integers(1, 40),
)
def test_best_is_the_start_of_a_stable_sort(values: list[int], depth: int) -> None:
    scores = np.array(values, dtype=np.float32)
    expected = sorted(range(len(values)), key=lambda i: -values[i])[:depth]
    assert best(scores, depth).tolist() == expected
