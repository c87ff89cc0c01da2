"""What follows from the measurements: one result beside another, and what to warn of."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .measure import Result

NOISY = 1.5  # how much longer than the fastest round the slowest may take without a note
NEAREST = 1e-9  # how near to 0 and 1 a score may be, so that its logit is finite


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One result beside the reference's; `None` where the reference did not run.

    `speedup` is the reference's median over this one; the peak is in bytes above the model.
    """

    median: float
    speedup: float | None
    peak: int
    max_score_difference: float | None
    max_logit_difference: float | None


def summarise(result: Result, reference: Result) -> Summary | None:
    """Compare a result with the reference's on the same workload; `None` if it was skipped."""
    if not result.samples:
        return None
    speedup = score_difference = logit_difference = None
    scores = result.samples[0].scores
    if reference.samples:
        expected = reference.samples[0].scores
        speedup = reference.median / result.median
        score_difference = largest_difference(scores, expected)
        logit_difference = largest_difference(map(logit, scores), map(logit, expected))
    return Summary(
        median=result.median,
        speedup=speedup,
        peak=result.samples[0].peak,
        max_score_difference=score_difference,
        max_logit_difference=logit_difference,
    )


def largest_difference(values: Iterable[float], expected: Iterable[float]) -> float:
    """Return the largest absolute difference of two series of one length."""
    return max(abs(value - other) for value, other in zip(values, expected, strict=True))


def logit(score: float) -> float:
    """Invert the sigmoid."""
    inside = min(max(score, NEAREST), 1 - NEAREST)
    return math.log(inside / (1 - inside))


def warnings(where: str, results: Sequence[Result]) -> Iterator[str]:
    """Say what was skipped, what varied, and what is only a bound."""
    for result in results:
        if result.skipped:
            yield f"{where}: {result.name} skipped: {result.skipped}"
            continue
        yield from varied(f"{where}: {result.name}", result.timed)
        if not all(sample.exact for sample in result.samples):
            yield f"{where}: the peak of {result.name} is a lower bound"


def varied(what: str, seconds: Sequence[float]) -> Iterator[str]:
    """Say that rounds differ so much that something else may have been running, if they do."""
    if max(seconds) > NOISY * min(seconds):
        yield f"{what} varied, {min(seconds):.2f} to {max(seconds):.2f} s: a busy machine?"


def chosen_types(results: Iterable[Result]) -> Iterator[str]:
    """Name the type of each contender whose name does not, once."""
    chosen = {result.contender: result.loaded.dtype for result in results if result.loaded}
    return (f"{name} = {dtype}" for name, dtype in chosen.items() if dtype not in name)


def values(result: Result, reference: Result) -> dict[str, Any]:
    """Return the samples of a result and its summary for JSON."""
    summary = summarise(result, reference)
    return {**asdict(result), "summary": asdict(summary) if summary else None}
