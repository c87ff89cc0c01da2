"""What a measurement says in figures: times, rates, memory, cost, and how exact the scores are."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .measure import Result
from .models import Model
from .summary import largest_difference
from .workloads import Workload

BASELINES = ("reference float32", "engine float32")
"""Whom others are compared with: the first of them that ran."""

PERCENTILES = (50, 95, 99)
HOUR = 3600


def baseline(results: Sequence[Result]) -> Result | None:
    """Find whom the others are compared with; None if none of them ran."""
    ran = {result.contender: result for result in results if result.samples}
    return next((ran[name] for name in BASELINES if name in ran), None)


def figures(  # noqa: PLR0913 - what a line of the table is made of
    result: Result,
    *,
    model: Model,
    workload: Workload,
    device: str,
    reference: Result | None,
    price: float | None,
) -> dict[str, Any]:
    """Return the figures of one contender on one workload, for JSON.

    Args:
        result: What it did.
        model: On which weights.
        workload: On which texts.
        device: Where.
        reference: Whom it is compared with.
        price: Of the machine per hour, in whatever currency.

    Returns:
        Seconds, bytes, documents and tokens; with ``"skipped"`` only a reason, if it did not run.
    """
    about = {
        "model": model.name,
        "contender": result.contender,
        "device": device,
        "workload": workload.name,
        "documents": workload.documents,
        "queries": len(workload.requests),
        "tokens": workload.tokens,
        "longest": max(workload.lengths),
    }
    if not result.samples or result.loaded is None:
        return about | {"skipped": result.skipped}
    rate = workload.documents / result.median
    found: dict[str, Any] = {
        **about,
        "dtype": result.loaded.dtype,
        "batch": result.batch,
        "seconds": result.timed,
        "percentiles": {str(percent): result.percentile(percent) for percent in PERCENTILES},
        "documents_per_second": rate,
        "tokens_per_second": workload.tokens / result.median,
        "peak_bytes": result.samples[0].peak,
        "peak_is_exact": result.samples[0].exact,
        "loaded": asdict(result.loaded),
        "cost_per_million_documents": None if price is None else price / HOUR / rate * 1e6,
    }
    if reference is not None:
        scores, expected = result.samples[0].scores, reference.samples[0].scores
        found["compared_with"] = reference.contender
        found["speedup"] = reference.median / result.median
        found["largest_score_difference"] = largest_difference(scores, expected)
    return found
