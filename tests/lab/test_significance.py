from itertools import product

import numpy as np
import pytest
from jina_rerank_lab.evaluation.significance import compare, estimate

RANDOM = np.random.default_rng(1)


def test_interval_is_that_of_the_normal_distribution_where_there_are_many() -> None:
    values = RANDOM.normal(0.5, 0.1, size=2000)
    found = estimate([values])
    error = 1.96 * values.std() / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - error, values.mean() + error), abs=error / 10
    )


def test_every_collection_counts_the_same() -> None:
    found = estimate([np.zeros(1000), np.ones(10)])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_same_values_give_the_same_numbers_again() -> None:
    values, others = RANDOM.random(50), RANDOM.random(50)
    assert compare([values], [others]) == compare([values], [others])


def test_p_is_the_share_of_sign_flips_that_are_as_extreme() -> None:
    differences = np.array([0.4, 0.3, -0.1, 0.2, 0.5, -0.2, 0.1, 0.3])
    observed = abs(differences.sum())
    flips = np.array(list(product([-1, 1], repeat=len(differences))))
    exact = np.mean(np.abs(flips @ differences) >= observed - 1e-9)
    found = compare([differences], [np.zeros(len(differences))])
    assert found.p == pytest.approx(exact, abs=0.01)


def test_equal_systems_do_not_differ() -> None:
    values = RANDOM.random(20)
    found = compare([values, values], [values, values])
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_clear_difference_has_a_small_p_and_an_interval_above_0() -> None:
    values = RANDOM.random(60)
    found = compare([values + 0.1], [values])
    assert found.p < 0.001
    assert found.low == pytest.approx(0.1)


def test_pairing_finds_what_two_intervals_hide() -> None:
    values = RANDOM.random(60)
    better = values + 0.02 + RANDOM.normal(0, 0.01, size=60)
    one, other = estimate([better]), estimate([values])
    assert one.low < other.high
    assert compare([better], [values]).p < 0.01


def test_many_queries_are_compared_in_parts() -> None:
    values = RANDOM.random(3000)
    assert compare([values], [values[::-1]]).p > 0.05
