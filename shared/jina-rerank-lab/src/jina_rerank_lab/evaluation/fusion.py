"""Blends of a reranker's scores with those of the first stage, and the weight that serves best.

Both are standardised within the candidates of a query, so that a weight means the same for any
pair. Scores that all lie between 0 and 1 there are taken for probabilities and turned into their
log odds first, which is what a cross-encoder computed.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..runs import Run

WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))
"""Shares of the reranker that are tried: 0 is the first stage alone, 1 the reranker alone."""

LARGEST = 30.0
"""Log odds of what is 1 but for rounding."""


def blend(reranked: Run, first: Run, weight: float) -> dict[str, dict[str, float]]:
    """Blend two runs of the same candidates.

    Args:
        reranked: The reranker's scores.
        first: Those of the first stage.
        weight: The share of the reranker, from 0 to 1.

    >>> blend({"q": {"a": 0.9, "b": 0.1}}, {"q": {"a": 1.0, "b": 5.0}}, 0.75)
    {'q': {'a': 0.5, 'b': -0.5}}
    """
    return {
        query: _blend(scores, {name: first[query][name] for name in scores}, weight)
        for query, scores in reranked.items()
    }


def _blend(
    scores: Mapping[str, float], first: Mapping[str, float], weight: float
) -> dict[str, float]:
    one, other = (_standardise(_log_odds(list(values.values()))) for values in (scores, first))
    mixed = weight * one + (1 - weight) * other
    return dict(zip(scores, mixed.tolist(), strict=True))


def _log_odds(values: Sequence[float]) -> Sequence[float]:
    if not all(0 <= value <= 1 for value in values):
        return values
    return [_logit(value) for value in values]


def _logit(value: float) -> float:
    if value in {0, 1}:
        return LARGEST if value else -LARGEST
    return max(-LARGEST, min(LARGEST, math.log(value) - math.log1p(-value)))


def _standardise(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    numbers = np.asarray(values, dtype=np.float64)
    spread = numbers.std() if len(numbers) else 0.0
    # Without a spread, this stage has no opinion.
    return (numbers - numbers.mean()) / spread if spread > 0 else np.zeros(len(numbers))


def choose(means: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """Choose each collection's weight by what is best for all others: none is tuned on itself.

    Args:
        means: By collection, the mean of the metric for each weight.

    Returns:
        By collection, the place of its weight in `WEIGHTS`. A single collection gets the place of
        the reranker alone, for there is nothing to choose by.

    >>> choose({"a": [0.1, 0.2, 0.3], "b": [0.3, 0.2, 0.1]})
    {'a': 0, 'b': 2}
    """
    chosen = {}
    for name, own in means.items():
        others = [values for other, values in means.items() if other != name]
        totals = np.sum(others, axis=0) if others else np.arange(len(own))
        chosen[name] = int(np.argmax(totals))
    return chosen
