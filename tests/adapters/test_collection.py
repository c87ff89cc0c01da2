"""The measures and the retrieval that the pipelines are judged by."""

import math

import pytest

from .collection import BM25, Collection, Embedder, Quality


def test_answer_first_second_and_absent_gives_known_measures(collection: Collection) -> None:
    found = {item.id: ["other", "another"] for item in collection.questions}
    first, second = collection.questions[:2]
    found[first.id] = [first.answer, "other"]
    found[second.id] = ["other", second.answer]
    count = len(collection.questions)
    quality = collection.quality(found)
    assert quality.hit_rate == pytest.approx(2 / count)
    assert quality.mrr == pytest.approx(1.5 / count)


def test_nothing_found_counts_as_a_miss(collection: Collection) -> None:
    first = collection.questions[0]
    count = len(collection.questions)
    assert collection.quality({first.id: [first.answer]}) == Quality(1 / count, 1 / count)


def test_every_answer_is_a_passage(collection: Collection) -> None:
    ids = [passage.id for passage in collection.passages]
    assert len(set(ids)) == len(ids)
    assert {item.answer for item in collection.questions} <= set(ids)


def test_bm25_finds_the_passage_with_the_words_asked(collection: Collection, bm25: BM25) -> None:
    passage = collection.passages[7]
    assert bm25.rank(passage.text, 3)[0] == passage.id


def test_embeddings_are_unit_vectors_and_kept(embedder: Embedder, collection: Collection) -> None:
    passage = collection.passages[0].text
    (vector,) = embedder([passage])
    assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)
    assert embedder([passage, passage]) == [vector, vector]
