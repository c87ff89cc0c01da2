"""Making a query and a document fit the context, by cutting or by windows."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from jina_rerank.jina_bert.fit import Fit, truncate, windows
from jina_rerank.jina_bert.tokenizer import Pair, PairTokenizer, Template
from jina_rerank.settings import Settings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "jinabert"
TOKENIZER = FIXTURES / "tokenizer_small" / "tokenizer.json"
TEMPLATE = PairTokenizer(TOKENIZER).template
BERT = Template(([2], [3], [3]), ([0], 0, [0], 1, [1]))
WINDOWS = json.loads((FIXTURES / "rerank_windows.json").read_text())

counts = st.integers(0, 60)


def fit(template: Template = TEMPLATE, context: int = 8192, **keywords: Any) -> Fit:
    return Fit.of(Settings(model="model", **keywords), template, context, "model")


def parts(pair: Pair) -> tuple[list[int], list[int]]:
    """Split an input of the v1 template into query and document; ids above 2 are theirs."""
    middle = pair.ids.index(2)
    assert (pair.ids[0], pair.ids[middle + 1], pair.ids[-1]) == (0, 2, 2)
    return pair.ids[1:middle], pair.ids[middle + 2 : -1]


@settings(deadline=None)
@given(query=counts, document=counts, max_length=st.integers(6, 80))
def test_cut_input_is_that_of_the_tokenizers_library(
    query: int, document: int, max_length: int
) -> None:
    oracle = Tokenizer.from_file(str(TOKENIZER))
    oracle.enable_truncation(max_length, strategy="longest_first")
    # One-letter words, so that each side can be told apart and counted.
    expected = oracle.encode(" ".join("a" * query), " ".join("b" * document))
    (a,), (b,) = PairTokenizer(TOKENIZER).encode(["a", "b"])
    (pair,) = fit(max_length=max_length).pairs([a] * query, [b] * document)
    assert pair.ids == expected.ids
    assert pair.types == expected.type_ids


@given(query=counts, document=counts, room=st.integers(0, 130))
def test_cut_sides_fill_the_room_and_neither_grows(query: int, document: int, room: int) -> None:
    keep, rest = truncate(query, document, room)
    assert 0 <= keep <= query
    assert 0 <= rest <= document
    assert keep + rest == min(query + document, room)


def test_whole_context_is_the_default_length() -> None:
    (pair,) = fit().pairs([7] * 10, [8] * 10_000)
    assert len(pair.ids) == 8192
    assert parts(pair) == ([7] * 10, [8] * 8178)


def test_long_query_gives_way_too_without_a_limit_of_its_own() -> None:
    (pair,) = fit(max_length=24).pairs([7] * 30, [8] * 30)
    assert parts(pair) == ([7] * 10, [8] * 10)


def test_query_up_to_its_limit_is_kept_whole_and_the_document_gives_way() -> None:
    (pair,) = fit(max_length=24, max_query_length=20).pairs([7] * 18, [8] * 30)
    assert parts(pair) == ([7] * 18, [8] * 2)


def test_query_above_its_limit_is_cut_to_it_even_beside_a_short_document() -> None:
    (pair,) = fit(max_length=24, max_query_length=5).pairs([7] * 30, [8])
    assert parts(pair) == ([7] * 3, [8])


def test_short_query_leaves_its_room_to_the_document() -> None:
    (pair,) = fit(max_length=24, max_query_length=20).pairs([7], [8] * 30)
    assert parts(pair) == ([7], [8] * 19)


def test_bert_template_gives_every_token_its_type() -> None:
    (pair,) = fit(BERT, max_length=9).pairs([7, 7], [8] * 9)
    assert pair.ids == [2, 7, 7, 3, 8, 8, 8, 8, 3]
    assert pair.types == [0, 0, 0, 0, 1, 1, 1, 1, 1]


@given(query=counts, document=st.integers(0, 300), overlap=st.integers(0, 80))
def test_windows_each_hold_the_query_and_fit(query: int, document: int, overlap: int) -> None:
    tokens = list(range(10, 10 + document))
    made = fit(max_length=64, overlength="window", overlap=overlap)
    pairs = list(made.pairs([7] * query, tokens))
    assert max(len(pair.ids) for pair in pairs) <= 64
    assert {tuple(parts(pair)[0]) for pair in pairs} == {(7,) * min(query, 30)}
    assert {token for pair in pairs for token in parts(pair)[1]} == set(tokens)


def test_windows_cut_the_query_to_512_tokens_with_its_special_ones() -> None:
    pairs = list(fit(overlength="window").pairs([7] * 600, [8] * 9000))
    assert [len(parts(pair)[0]) for pair in pairs] == [510, 510]
    assert [len(pair.ids) for pair in pairs] == [8192, 8192]


@given(
    query=counts,
    document=counts,
    most=st.none() | st.integers(4, 32),
    overlength=st.sampled_from(["truncate", "window"]),
)
def test_cut_tokens_are_those_that_no_pair_has(
    query: int, document: int, most: int | None, overlength: str
) -> None:
    made = fit(max_length=64, max_query_length=most, overlength=overlength)
    pairs = list(made.pairs([7] * query, list(range(10, 10 + document))))
    read = {token for pair in pairs for token in parts(pair)[1]}
    assert made.cut(query, document) == query - len(parts(pairs[0])[0]) + document - len(read)


@pytest.mark.parametrize("case", WINDOWS, ids=lambda case: str(case["n_doc_tokens"]))
def test_windows_are_those_of_the_published_rerank(case: dict[str, Any]) -> None:
    spans = windows(case["n_doc_tokens"], case["room"], case["overlap_tokens"])
    assert [list(span) for span in spans] == case["windows"]


@pytest.mark.parametrize("case", WINDOWS, ids=lambda case: str(case["n_doc_tokens"]))
def test_windows_of_a_real_query_leave_the_published_room(case: dict[str, Any]) -> None:
    made = fit(max_length=case["max_length"], overlength="window", overlap=case["overlap_tokens"])
    tokens = list(range(10, 10 + case["n_doc_tokens"]))
    pairs = made.pairs([7] * (case["n_query_tokens_incl_special"] - 2), tokens)
    assert [parts(pair)[1] for pair in pairs] == [
        tokens[start:end] for start, end in case["windows"]
    ]


@given(tokens=st.integers(0, 500), room=st.integers(1, 90), overlap=st.integers(0, 100))
def test_windows_cover_the_document_and_share_what_was_asked(
    tokens: int, room: int, overlap: int
) -> None:
    spans = windows(tokens, room, overlap)
    shared = min(overlap, room // 4)
    assert (spans[0][0], spans[-1][1]) == (0, tokens)
    assert {end - start for start, end in spans} == {min(tokens, room)}
    overlaps = [end - start for (_, end), (start, _) in pairwise(spans)]
    assert all(overlap == shared for overlap in overlaps[:-1])
    assert all(shared <= overlap < room for overlap in overlaps)


def test_length_above_the_context_is_refused_with_the_context() -> None:
    with pytest.raises(ValueError, match="at most 1024, the context of model, got 1025"):
        fit(context=1024, max_length=1025)


@pytest.mark.parametrize(("template", "least"), [(TEMPLATE, 6), (BERT, 5)])
def test_length_without_room_for_two_tokens_is_refused(template: Template, least: int) -> None:
    with pytest.raises(ValueError, match=f"max_length must be at least {least}"):
        fit(template, max_length=least - 1)
    (pair,) = fit(template, max_length=least).pairs([7] * 9, [8] * 9)
    assert len(pair.ids) == least


@pytest.mark.parametrize("query", [1, 2, 21, 100])
def test_query_length_that_leaves_no_room_is_refused_with_the_range(query: int) -> None:
    with pytest.raises(ValueError, match=r"max_query_length must be from 3 to 20 .*got"):
        fit(context=24, max_query_length=query)


@pytest.mark.parametrize("query", [3, 20])
def test_query_length_at_the_ends_of_the_range_works(query: int) -> None:
    (pair,) = fit(context=24, max_query_length=query).pairs([7] * 30, [8] * 30)
    assert parts(pair) == ([7] * (query - 2), [8] * (22 - query))


def test_windows_too_short_for_any_query_are_refused_by_the_keyword_that_was_given() -> None:
    with pytest.raises(ValueError, match=r"^max_length must be at least 7"):
        fit(max_length=6, overlength="window")
    pairs = list(fit(max_length=7, overlength="window").pairs([7] * 9, [8] * 9))
    assert [len(pair.ids) for pair in pairs] == [7] * 5
