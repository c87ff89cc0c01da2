"""Measures of rankings, by the names of ir-measures and by those that people use."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import ir_measures

from ..runs import Run, ranked

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
PerQuery: TypeAlias = dict[str, dict[str, float]]
"""By measure and query, the value."""

DEFAULT = ("nDCG@10", "MRR@10", "Recall@100", "Hit@10")
"""What is measured unless the user says otherwise; the first decides."""

ALIASES = {"mrr": "RR", "recall": "R", "hit": "Success", "hitrate": "Success", "map": "AP"}
"""Names that are not those of ir-measures, which has nDCG, RR, R, Success, AP, P, ..."""


def parse(names: Sequence[str]) -> dict[str, Any]:
    """Find measures by name.

    Args:
        names: Such as ``nDCG@10``, ``MRR@10``, ``Recall@100``, ``Hit@5``, or any of ir-measures.

    Returns:
        The measures of ir-measures, by the names that were given.

    Raises:
        ValueError: There is no such measure, or nothing installed computes it.

    >>> parse(["MRR@10"])
    {'MRR@10': RR@10}
    """
    return {name: _parse(name) for name in names}


def _parse(name: str) -> Any:
    start, at, cutoff = name.partition("@")
    plain = start.replace("_", "").replace(" ", "").lower()
    supports: Any = ir_measures.DefaultPipeline.supports
    try:
        measure = ir_measures.parse_measure(f"{ALIASES.get(plain, start)}{at}{cutoff}")
        known = supports(measure)
    except (NameError, ValueError, AssertionError) as error:
        raise _unknown(name) from error
    if not known:
        raise _unknown(name)
    return measure


def _unknown(name: str) -> ValueError:
    usual = ", ".join(DEFAULT)
    return ValueError(f"there is no metric {name!r}; use {usual}, or another of ir-measures")


def measure(measures: Mapping[str, Any], qrels: Qrels, run: Run) -> PerQuery:
    """Measure a run on every judged query; one for which it found nothing counts 0.

    Ties are broken as trec_eval does, for every measure, also those of other programs.
    """
    places = {
        query: {name: float(-place) for place, name in enumerate(ranked(scores))}
        for query, scores in run.items()
        if query in qrels and scores
    }
    values: PerQuery = {name: dict.fromkeys(qrels, 0.0) for name in measures}
    names = {measure: name for name, measure in measures.items()}
    judged = {query: dict(judgements) for query, judgements in qrels.items()}
    for result in ir_measures.iter_calc(list(names), judged, places):
        values[names[result.measure]][result.query_id] = float(result.value)
    return values
