"""The published models against published scores, in float32: `nox -s hub`, where the hub is reachable.

Sources of the numbers are in tests/fixtures/jinabert/real_reference_scores.json; the planets are
those of sentence-transformers' tests/cross_encoder/test_pretrained.py, computed in bfloat16 there.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from jina_rerank import Reranker
from jina_rerank.backends.local import LocalBackend
from jina_rerank.jina_bert.scorer import JinaBertScorer
from jina_rerank.jina_bert.tokenizer import Pair

pytestmark = pytest.mark.hub

STORED = Path(__file__).parents[1] / "fixtures" / "jinabert" / "real_reference_scores.json"
REFERENCE = json.loads(STORED.read_text(encoding="utf-8"))
GROUPS = REFERENCE["groups"]

PLANET = "Which planet is known as the Red Planet?"
PLANETS = [
    "Venus is often called Earth's twin because of its similar size and proximity.",
    "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
    "Jupiter, the largest planet in our solar system, has a prominent red spot.",
    "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
]


@pytest.fixture(scope="module", params=["turbo", "tiny"])
def reranker(request: pytest.FixtureRequest) -> Reranker:
    # 512 tokens, as every published number was computed.
    return Reranker(request.param, dtype="float32", max_length=512).load()


def scorer(reranker: Reranker) -> JinaBertScorer:
    backend = reranker._backend
    assert isinstance(backend, LocalBackend)
    assert isinstance(backend._scorer, JinaBertScorer)
    return backend._scorer


def of_model(reranker: Reranker, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [item for item in items if item["model"] == reranker.model]
    return found or pytest.skip(f"nothing of the kind was published for {reranker.model}")


def test_logits_are_the_published_ones(reranker: Reranker) -> None:
    for group in of_model(reranker, GROUPS):
        # Token ids and not texts: a blank query and a single text have no place in `rank`.
        pairs = [Pair(ids, [0] * len(ids)) for ids in group["input_ids"]]
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].ids))
        logits = scorer(reranker).logits([pairs[i] for i in order]).tolist()
        expected = [group["logits"][i] for i in order]
        assert logits == pytest.approx(expected, abs=group["atol_logit"]), group["source"]


def test_texts_give_the_published_scores(reranker: Reranker) -> None:
    pairs = [group for group in GROUPS if group["documents"] and group["query"]]
    for group in of_model(reranker, pairs):
        scores = reranker.score(group["query"], group["documents"])
        logits = [math.log(score / (1 - score)) for score in scores]
        assert logits == pytest.approx(group["logits"], abs=group["atol_logit"]), group["source"]


def test_rankings_are_the_published_ones(reranker: Reranker) -> None:
    for case in of_model(reranker, REFERENCE["orderings"]):
        ranking = reranker.rank(case["query"], sorted(case["ranking"]))
        assert [item.document for item in ranking] == case["ranking"], case["source"]


def test_planets_are_scored_as_in_sentence_transformers(reranker: Reranker) -> None:
    published = {
        "tiny": [0.53516, 0.92969, 0.87891, 0.88672],
        "turbo": [0.27148, 0.82422, 0.64844, 0.68359],
    }
    # Theirs are bfloat16, within 0.01 of themselves; a logit of bfloat16 is off by up to 0.08.
    expected = pytest.approx(published[reranker.model], abs=0.03)
    assert reranker.score(PLANET, PLANETS) == expected
    rounded = Reranker(reranker.model, dtype="bfloat16").score(PLANET, PLANETS)
    assert rounded == expected


def test_default_length_reads_the_whole_context(reranker: Reranker) -> None:
    long = Reranker(reranker.model).rank("What is said last?", ["word " * 20_000])
    assert long.usage.total_tokens == 8192
