"""What a whole evaluation says: a value with its interval for every system, metric, collection."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from . import fusion, significance
from .measure import Measured
from .significance import Difference, Estimate, Values

MEAN = "mean"
"""What stands for the name of a collection in the mean of all, each of which counts the same."""


def overall(names: Sequence[str]) -> str:
    """Name the mean of several, or the only one.

    >>> overall(["scifact", "nfcorpus"]), overall(["scifact"])
    ('mean', 'scifact')
    """
    return MEAN if len(names) > 1 else names[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number.

    Attributes:
        collection: The collection's name, or `MEAN`.
        system: The system's name.
        metric: The metric's name.
        estimate: The number.
        against: By system that it is compared with, the difference.
    """

    collection: str
    system: str
    metric: str
    estimate: Estimate
    against: Mapping[str, Difference]

    def to_dict(self) -> dict[str, Any]:
        """Write down for JSON."""
        return {
            "collection": self.collection,
            "system": self.system,
            "metric": self.metric,
            **asdict(self.estimate),
            "against": {name: asdict(value) for name, value in self.against.items()},
        }


def rows(measured: Sequence[Measured], baselines: Sequence[str]) -> list[Row]:
    """Summarise: for each collection and for the mean of all, if there are several.

    Args:
        measured: What was measured.
        baselines: The systems that all others are compared with.
    """
    groups = [(each.name, [each]) for each in measured]
    if len(measured) > 1:
        groups.append((MEAN, list(measured)))
    first = measured[0].values
    return [
        _row(name, group, system, metric, baselines)
        for name, group in groups
        for system in first
        for metric in first[system]
    ]


def _row(
    name: str, group: Sequence[Measured], system: str, metric: str, baselines: Sequence[str]
) -> Row:
    own = _strata(group, system, metric)
    return Row(
        collection=name,
        system=system,
        metric=metric,
        estimate=significance.estimate(own),
        against={
            other: significance.compare(own, _strata(group, other, metric))
            for other in baselines
            if other != system
        },
    )


def _strata(group: Sequence[Measured], system: str, metric: str) -> list[Values]:
    return [
        np.array([each.values[system][metric][query] for query in each.sample.collection.queries])
        for each in group
    ]


def whole(
    measured: Sequence[Measured], found: Sequence[Row], setting: Mapping[str, Any]
) -> dict[str, Any]:
    """Put together what a file of results holds.

    Returns:
        `setting`, the facts of the collections, the systems by name, every row, and the blends
        with the weight of each collection.
    """
    return {
        **setting,
        "confidence": significance.CONFIDENCE,
        "systems": list(measured[0].values),
        "collections": [_facts(each) for each in measured],
        "rows": [row.to_dict() for row in found],
        "fusion": [blended(measured, spec) for spec in measured[0].blends],
    }


def _facts(each: Measured) -> dict[str, Any]:
    return {
        "name": each.name,
        "documents": len(each.sample.collection.corpus),
        "words": each.sample.words,
        "queries": len(each.sample.collection.queries),
        "queries_in_all": each.sample.queries,
        "candidates": each.sample.depth,
        "missing": each.missing,
    }


def blended(measured: Sequence[Measured], spec: str) -> dict[str, Any]:
    """Tell how the first metric follows the weight of a reranker in a blend.

    Returns:
        The weights that were tried, the mean of all collections for each, the values of each
        collection, and the weight that each got from the others.
    """
    means = {each.name: each.blends[spec] for each in measured}
    chosen = fusion.choose(means)
    return {
        "reranker": spec,
        "weights": list(fusion.WEIGHTS),
        "mean": np.mean(list(means.values()), axis=0).tolist(),
        "collections": means,
        "chosen": {name: fusion.WEIGHTS[place] for name, place in chosen.items()},
    }
