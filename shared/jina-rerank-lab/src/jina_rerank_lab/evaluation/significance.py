"""Whether a difference is one: intervals by the bootstrap, p-values by a paired randomization test.

Smucker, Allan, Carterette 2007: "A comparison of statistical significance tests for information
retrieval evaluation". Values come in strata, one per collection; the mean is that of the means of
the strata, so that a large collection counts as much as a small one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ROUNDS = 10_000
"""Resamples of a bootstrap and of a test: p is exact to about 0.004 where it is 0.05."""

CONFIDENCE = 0.95

SEED = 20240418
"""Of the random numbers: the same values always give the same interval and the same p."""

CHUNK = 1 << 22
"""Random numbers that are held at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its interval of confidence.

    Attributes:
        value: The mean.
        low: Where the interval starts.
        high: Where it ends.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Estimate):
    """A difference of means, of the same queries.

    Attributes:
        p: How probable one at least so large would be, either way, were there none.
    """

    p: float


def estimate(strata: Sequence[Values]) -> Estimate:
    """Estimate a mean.

    >>> estimate([np.array([0.0, 1.0, 1.0, 1.0])])
    Estimate(value=0.75, low=0.25, high=1.0)
    """
    low, high = _interval(strata)
    return Estimate(value=_mean(strata), low=low, high=high)


def compare(strata: Sequence[Values], others: Sequence[Values]) -> Difference:
    """Compare two systems on the same queries in the same order.

    >>> compare([np.arange(8) + 1.0], [np.arange(8) + 0.0]).p < 0.02
    True
    """
    differences = [a - b for a, b in zip(strata, others, strict=True)]
    low, high = _interval(differences)
    value = _mean(differences)
    shares = np.concatenate([d / (len(d) * len(differences)) for d in differences])
    generator = np.random.default_rng(SEED)
    # What adds up to the same but for rounding is as large.
    least = abs(value) - 1e-12
    extreme = 0
    for rounds in _chunks(len(shares)):
        signs = generator.integers(0, 2, size=(rounds, len(shares)), dtype=np.int8) * 2 - 1
        extreme += int(np.count_nonzero(np.abs(signs @ shares) >= least))
    return Difference(value=value, low=low, high=high, p=(extreme + 1) / (ROUNDS + 1))


def _mean(strata: Sequence[Values]) -> float:
    return float(np.mean([values.mean() for values in strata]))


def _interval(strata: Sequence[Values]) -> tuple[float, float]:
    generator = np.random.default_rng(SEED)
    means = np.zeros(ROUNDS)
    for values in strata:
        size = len(values)
        start = 0
        for rounds in _chunks(size):
            drawn = generator.integers(0, size, size=(rounds, size))
            means[start : start + rounds] += values[drawn].mean(axis=1)
            start += rounds
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means / len(strata), [tail, 1 - tail])
    return float(low), float(high)


def _chunks(size: int) -> Iterator[int]:
    """Split the rounds so that little is held at once."""
    most = max(1, CHUNK // size)
    for start in range(0, ROUNDS, most):
        yield min(most, ROUNDS - start)
