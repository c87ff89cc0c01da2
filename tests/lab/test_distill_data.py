"""Training data: reading, cutting, making queries, and keeping test collections out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jina_rerank_lab import collections
from jina_rerank_lab.distillation import make, pairs
from jina_rerank_lab.distillation.crop import anywhere, crop
from jina_rerank_lab.distillation.guard import Guard
from jina_rerank_lab.distillation.pairs import Example
from jina_rerank_lab.distillation.recipe import FilePart

from jina_rerank.lines import InputError

from .conftest import Make
from .distilling import write_rows


def read(path: Path, **options: Any) -> list[Example]:
    return pairs.examples(path, FilePart(path=path.name, **options), seed=1)


def test_pairs_are_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", [{"query": "q", "positive": "p", "title": "T"}])
    assert read(path) == [Example("q", "p")]
    assert read(path, title=True) == [Example("q", "T p")]


def test_a_query_and_a_text_are_under_the_keys_that_are_named(tmp_path: Path) -> None:
    row = {"query": "q", "body": "A long question.", "positive": "Mars is quite red. Is Venus not?"}
    path = write_rows(tmp_path / "a.jsonl", [row])
    assert read(path, query="body") == [Example("A long question.", row["positive"])]
    made = read(path, make=("first",), text="positive")
    assert made == [Example("Mars is quite red.", "Is Venus not?")]


def test_lists_have_a_positive_if_a_label_says_so(tmp_path: Path) -> None:
    labelled = [
        {"text": "no", "label": 0},
        {"text": "yes", "label": 1},
        {"text": "too", "label": 2},
    ]
    rows = [{"query": "q", "passages": ["a", "b"]}, {"query": "r", "passages": labelled}]
    found = read(write_rows(tmp_path / "a.jsonl", rows))
    assert found == [Example("q", None, ("a", "b")), Example("r", "yes", ("no",))]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"query": " ", "positive": "p"}, "its query is blank"),
        ({"query": "q", "positive": " "}, "a passage of it is blank"),
        ({"query": "q", "passages": []}, "its passages are no list, or an empty one"),
        ({"query": "q", "passages": [3]}, "a passage of it is neither a text nor an object"),
        ({"query": "q", "passages": [{"text": "t", "label": "x"}]}, "a label that is no number"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: Any, reason: str) -> None:
    path = write_rows(tmp_path / "a.jsonl", [{"query": "q", "positive": "p"}, row])
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert reason in str(caught.value)


def test_a_file_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no training data"):
        read(write_rows(tmp_path / "a.jsonl", []))


def test_a_cap_draws_the_same_ones_each_time(tmp_path: Path) -> None:
    rows = [{"query": f"q{i}", "positive": "p"} for i in range(20)]
    path = write_rows(tmp_path / "a.jsonl", rows)
    found = read(path, cap=5)
    assert len(found) == 5
    assert found == read(path, cap=5)


def test_queries_are_made_of_documents(tmp_path: Path) -> None:
    text = "Mars is a red planet. Iron rust makes it red. It has two moons there."
    path = write_rows(tmp_path / "a.jsonl", [{"text": text, "title": "Mars"}, {"text": "Short."}])
    assert read(path, make=("title",)) == [Example("Mars", text)]
    (first,) = read(path, make=("first",))
    assert first == Example("Mars is a red planet.", text.partition(". ")[2])
    (span,) = read(path, make=("span",))
    assert span.query not in str(span.positive)
    assert span.query in text
    (half,) = read(path, make=("half",))
    assert half == Example("Mars is a red planet.", text.partition(". ")[2])


def test_lines_of_a_text_file_are_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Mars is a red planet. Iron makes it red.\n\nBread.\n")
    assert read(path, make=("first",)) == [Example("Mars is a red planet.", "Iron makes it red.")]


def test_a_made_query_is_not_longer_than_queries_are() -> None:
    documents = [("word " * 100, "A text.")]
    ((query, _),) = make.examples(documents, ("title",), np.random.default_rng(0))
    assert len(query.split()) == 40


def test_a_half_is_as_long_as_a_passage() -> None:
    long = "word " * 99 + "word."
    documents = [("", f"{long} {long} {long} The end.")]
    ((query, passage),) = make.examples(documents, ("half",), np.random.default_rng(0))
    assert len(query.split()) == 160
    assert passage == f"{long} The end."


def test_a_long_passage_is_cut_around_what_matches() -> None:
    filler = "Nothing of interest is said here. " * 10
    text = f"{filler}Rust makes Mars red. {filler}"
    cut = crop(text, "why is Mars red", 4)
    assert cut == "Rust makes Mars red."


def test_a_cut_near_the_end_is_whole_too() -> None:
    text = f"{'Word by word. ' * 10}Mars is red and rusty today."
    cut = crop(text, "rusty today", 8)
    assert cut.endswith("today.")
    assert len(cut.split()) == 8


def test_a_passage_without_sentences_is_cut() -> None:
    text = " ".join(f"w{i}" for i in range(50))
    assert crop(text, "w33 query33", 10).split()[0] == "w0"


def test_parts_of_one_passage_have_one_origin() -> None:
    text = "Mars is a red planet. " * 3 + "The deep blue sea is cold. " * 3
    found = [Example("red planet", text), Example("blue cold sea", text), Example("x", "Other.")]
    made = pairs.pool("a", found, 6)
    assert len(made.passages) == 3
    assert made.origins == [0, 0, 1]


def test_a_third_of_the_positives_is_cut_anywhere() -> None:
    text = f"{'Nothing is said here. ' * 20}Mars is red today. {'Nor is it here. ' * 20}"
    found = [Example("mars red", f"{text}{i}") for i in range(300)]
    made, same, other = (pairs.pool("a", found, 4, seed=seed) for seed in (1, 1, 2))
    best = [made.passages[place] == "Mars is red today." for place in made.positives]
    assert 0.27 < 1 - sum(best) / 300 < 0.4
    assert made == same
    assert made.positives != other.positives


def test_a_short_passage_is_whole_wherever_it_is_cut() -> None:
    assert anywhere("Mars is red.", 4, 0.9) == "Mars is red."


def test_texts_of_pools_are_queries_and_passages() -> None:
    made = pairs.pool("a", [Example("q", "p", ("o",))], None)
    assert list(pairs.texts([made])) == ["q", "p", "o"]


WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@pytest.fixture
def guard(make: Make) -> Guard:
    return Guard([collections.read(make(corpus=[*CORPUS, {"_id": "long", "text": WORDS}]))])


CORPUS = (
    {"_id": "mars", "title": "Mars", "text": "Mars is a red planet."},
    {"_id": "rust", "text": "Rust is red."},
    {"_id": "bread", "text": "Bread rises."},
    {"_id": "sea", "text": "The sea."},
)


def test_a_test_query_in_other_letters_is_refused(guard: Guard) -> None:
    assert guard.refuses(Example("which PLANET is red", "Some say that it is this one."))


def test_a_passage_with_a_quarter_of_its_runs_in_a_test_document_is_refused(guard: Guard) -> None:
    start = " ".join(WORDS.split()[:13])
    assert guard.refuses(Example("q", f"{start} a b c"))
    assert not guard.refuses(Example("q", f"{start} a b c d"))


def test_another_passage_of_a_list_counts_too(guard: Guard) -> None:
    assert guard.refuses(Example("q", None, ("Something else.", WORDS)))


def test_a_short_passage_within_a_test_document_is_refused(guard: Guard) -> None:
    within = WORDS.split()[2:8]
    assert guard.refuses(Example("q", " ".join(within)))
    assert not guard.refuses(Example("q", " ".join([*within, "and", "so", "on"])))


def test_a_passage_of_few_words_is_refused_only_as_a_whole_document(guard: Guard) -> None:
    assert guard.refuses(Example("q", "rust is red"))
    assert not guard.refuses(Example("q", "Rust is red, too."))
    assert not guard.refuses(Example("q", "two three four"))


def test_a_passage_without_words_is_not_refused(guard: Guard) -> None:
    assert not guard.refuses(Example("q", "..."))


def test_a_guard_without_collections_refuses_nothing() -> None:
    assert not Guard([]).refuses(Example("Which planet is red?", "Mars is a red planet."))
