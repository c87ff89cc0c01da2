import numpy as np
import pytest
from jina_rerank_lab.evaluation.fusion import WEIGHTS, blend, choose

FIRST = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}
RERANKED = {"q": {"a": 0.1, "b": 0.2, "c": 0.9}}


def order(scores: dict[str, float]) -> str:
    return "".join(sorted(scores, key=lambda name: -scores[name]))


@pytest.mark.parametrize(("weight", "names"), [(0.0, "abc"), (1.0, "cba")])
def test_blend_of_one_alone_has_its_order(weight: float, names: str) -> None:
    assert order(blend(RERANKED, FIRST, weight)["q"]) == names


def test_scale_of_either_does_not_matter() -> None:
    large = {"q": {name: 100 * score + 7 for name, score in FIRST["q"].items()}}
    assert blend(RERANKED, large, 0.5)["q"] == pytest.approx(blend(RERANKED, FIRST, 0.5)["q"])


def test_probabilities_count_as_their_log_odds() -> None:
    odds = {"q": {"a": np.log(0.1 / 0.9), "b": np.log(0.2 / 0.8), "c": np.log(0.9 / 0.1)}}
    assert blend(RERANKED, FIRST, 0.5)["q"] == pytest.approx(blend(odds, FIRST, 0.5)["q"])


def test_probability_that_is_0_or_1_but_for_rounding_is_finite() -> None:
    mixed = blend({"q": {"a": 0.0, "b": 0.5, "c": 1.0}}, FIRST, 0.9)["q"]
    assert order(mixed) == "cba"
    assert all(np.isfinite(score) for score in mixed.values())


def test_stage_without_an_opinion_leaves_it_to_the_other() -> None:
    flat = {"q": dict.fromkeys("abc", 0.5)}
    assert order(blend(flat, FIRST, 0.9)["q"]) == "abc"


def test_query_without_candidates_stays_without() -> None:
    assert blend({"q": {}}, {"q": {}}, 0.5) == {"q": {}}


def test_weight_of_a_collection_is_chosen_by_the_others() -> None:
    means = {"a": [0.0, 0.9, 0.0], "b": [0.5, 0.0, 0.1], "c": [0.5, 0.0, 0.2]}
    assert choose(means) == {"a": 0, "b": 1, "c": 1}


def test_single_collection_gets_the_reranker_alone() -> None:
    assert choose({"a": [0.9] * len(WEIGHTS)}) == {"a": len(WEIGHTS) - 1}
