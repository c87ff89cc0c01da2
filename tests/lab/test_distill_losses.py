"""Losses, on lists small enough to compute by hand."""

import math
from collections.abc import Mapping, Sequence

import pytest
import torch
from jina_rerank_lab.distillation import dev, losses
from jina_rerank_lab.distillation.pairs import Example, pool
from jina_rerank_lab.distillation.targets import Read

LOGITS = torch.tensor([[2.0, 0.0, 9.0], [1.0, 3.0, 0.0]])
TEACHER = torch.tensor([[4.0, 0.0, -7.0], [2.0, 6.0, 0.0]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


def test_kl_is_0_where_the_student_agrees() -> None:
    found = losses.kl(LOGITS, TEACHER, MASK, 2.0)
    torch.testing.assert_close(found, torch.zeros(2), atol=1e-6, rtol=0)


def test_kl_is_the_divergence_from_the_teacher() -> None:
    found = losses.kl(torch.zeros(1, 2), torch.tensor([[math.log(3), 0.0]]), MASK[:1, :2], 1.0)
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_margin_mse_compares_differences_to_the_positive() -> None:
    teacher = torch.tensor([[1.0, 0.0, 5.0], [2.0, 3.0, 1.0]])
    found = losses.margin_mse(LOGITS, teacher, MASK, 1.0)
    assert found.tolist() == pytest.approx([(2 - 1) ** 2, ((-2 + 1) ** 2 + (1 - 1) ** 2) / 2])


def test_mse_leaves_the_level_of_a_list_open() -> None:
    found = losses.mse(LOGITS + 5, TEACHER, MASK, 2.0)
    torch.testing.assert_close(found, torch.zeros(2), atol=1e-5, rtol=0)


def test_absolute_compares_the_level_too() -> None:
    found = losses.absolute(LOGITS + 5, TEACHER, MASK, 2.0)
    torch.testing.assert_close(found, torch.full((2,), 25.0))


def test_contrastive_is_the_cross_entropy_of_the_positive() -> None:
    found = losses.contrastive(LOGITS, MASK)
    assert found[0].item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)


def test_bce_weighs_the_positive_like_all_others() -> None:
    found = losses.bce(torch.tensor([[3.0, -3.0, -3.0]]), MASK[1:])
    assert found.item() == pytest.approx(math.log(1 + math.exp(-3)), abs=1e-6)


def test_relative_mse_is_1_for_the_mean() -> None:
    target = torch.randn(20, 4)
    assert losses.relative_mse(target.mean(0).expand(20, 4), target).item() == pytest.approx(1)
    assert losses.relative_mse(target, target).item() == 0


def test_relative_mse_of_a_single_vector_is_finite() -> None:
    assert losses.relative_mse(torch.zeros(1, 3), torch.ones(1, 3)).isfinite()


def test_matching_is_0_for_standard_matches() -> None:
    matches = torch.tensor([0.2, 0.4, 0.9])
    found = (matches - matches.mean()) / matches.std()
    assert losses.matching(found, matches).item() == pytest.approx(0, abs=1e-6)


def test_agreement_tells_whether_the_positive_is_on_top() -> None:
    assert losses.agreement(LOGITS, MASK).tolist() == [1, 0]


def test_nothing_matches_in_a_passage_without_tokens() -> None:
    read = Read(torch.randn(4, 3), torch.randn(2, 3))
    assert read.matches().tolist() == [0, 0]


def question(gains: Sequence[int], missed: Mapping[str, int]) -> dev.Question:
    """A question whose candidates have these gains, in their order, and what BM25 did not find."""
    relevant = {str(i): gain for i, gain in enumerate(gains)}
    passages = dict.fromkeys(relevant, "text")
    return dev.Question(source="a", query="q", passages=passages, relevant={**relevant, **missed})


def test_ndcg_counts_every_relevant_passage_there_is() -> None:
    expected = (2 + 0.5) / (2 + 1 / math.log2(3) + 0.5)
    found = dev.as_found([question([2, 0, 1], {"missed": 1})])
    assert found == {"a": pytest.approx(expected), "all": pytest.approx(expected)}
    assert dev.as_found([question([0, 0], {})])["a"] == 0


def test_passages_of_equal_scores_stay_in_the_order_of_bm25() -> None:
    questions = [question([1, *[0] * 11], {}), question([0] * 11 + [1], {})]
    assert dev.summary(questions, [[0.5] * 12] * 2)["a"] == 0.5


def test_query_for_which_nothing_is_found_counts_0() -> None:
    assert dev.as_found([question([], {"missed": 1})])["all"] == 0


def test_a_positive_that_bm25_misses_comes_last() -> None:
    found = [
        Example("sea", "the sea"),
        Example("mars", "no word of it"),
        Example("x", None, ("y",)),
    ]
    own = pool("a", [*found, Example("mars", "mars")], None)
    questions = dev.of_pool(own, [1, 2], 2)
    assert [[*one.passages.values()] for one in questions] == [["mars", "no word of it"]]
    assert [questions[0].relevant.get(name, 0) for name in questions[0].passages] == [0, 1]
