"""What keeping scores between calls costs, and what it saves."""

from __future__ import annotations

import statistics
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from random import Random

from jina_rerank_lab.benchmark.contenders import AUTO, CACHED, CACHED_SCORES
from jina_rerank_lab.benchmark.summary import largest_difference, varied
from jina_rerank_lab.benchmark.tables import milliseconds, times
from jina_rerank_lab.benchmark.worker import Loaded, Sample, Worker
from jina_rerank_lab.benchmark.workloads import Workload

from jina_rerank.cache import LeastRecentlyUsed

from ..report import Section, table
from ..run import Run

CALLS = {
    "plain": "no cache",
    "misses": "first call, all unknown",
    "hits": "same call again, all known",
    "half": "half of the documents known",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """The four calls of a round on the same documents: without a cache, then with one."""

    plain: Sample
    misses: Sample
    hits: Sample
    half: Sample


def measure(run: Run) -> Section:
    """Run rounds, each with queries that the cache has not seen; the first warms up."""
    workload = run.workload(run.model)
    directory = run.checkpoint(run.model)
    with Worker(AUTO, directory) as plain, Worker(CACHED, directory) as cached:
        rounds = []
        for number in range(run.rounds + 1):
            run.say(f"cache, {workload.name}: round {number} of {run.rounds}")
            rounds.append(ask(plain, cached, workload, seed=number))
    return section(run.model, workload, rounds[1:], loaded=(plain.loaded, cached.loaded))


def ask(plain: Worker, cached: Worker, workload: Workload, *, seed: int) -> Round:
    """Run the calls of one round; what half a call has to know is asked for unmeasured."""
    first, second = (asked_anew(workload, seed=2 * seed + offset) for offset in range(2))
    without, misses, hits = plain.score(first), cached.score(first), cached.score(first)
    ((query, documents),) = second.requests
    half = ((query, documents[::2]),)
    cached.score(replace(second, requests=half, lengths=second.lengths[::2]))
    return Round(plain=without, misses=misses, hits=hits, half=cached.score(second))


def asked_anew(workload: Workload, *, seed: int) -> Workload:
    """Put the words of the query into another order: as many tokens, and another query."""
    ((query, documents),) = workload.requests
    words = query.split()
    Random(seed).shuffle(words)  # noqa: S311 - texts are no secret
    return replace(workload, requests=((" ".join(words), documents),))


def bytes_per_score(count: int = CACHED_SCORES) -> float:
    """Return what each score takes in a full cache in memory, key included, in bytes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        cache = LeastRecentlyUsed(count)
        for number in range(count):
            cache.set(sha256(str(number).encode()).hexdigest(), number / count)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / count


def seconds(rounds: Sequence[Round], call: str) -> list[float]:
    """Return the seconds of one of the `CALLS` in each round."""
    return [getattr(measured, call).seconds for measured in rounds]


def section(
    model: str, workload: Workload, rounds: Sequence[Round], *, loaded: tuple[Loaded, Loaded]
) -> Section:
    """Report each call beside the one without a cache.

    Args:
        model: The shape.
        workload: The texts.
        rounds: What was measured.
        loaded: What loading took without a cache, and with one.
    """
    title = f"Score cache, {workload.name}, {model} shape, dtype auto"
    lines = table(left=("call",), right=("median\nms", "speed"))
    medians = {call: statistics.median(seconds(rounds, call)) for call in CALLS}
    for call, name in CALLS.items():
        lines.add_row(name, milliseconds(medians[call]), times(medians["plain"] / medians[call]))
    overheads = [measured.misses.seconds - measured.plain.seconds for measured in rounds]
    kept = max(
        largest_difference(measured.hits.scores, measured.misses.scores) for measured in rounds
    )
    size = bytes_per_score()
    without, with_cache = (milliseconds(one.first_call) for one in loaded)
    notes = [
        f"speed: relative to no cache; rounds: {len(rounds)}, each with a query of its own",
        f"what is known scores the same to {kept:.0e}; a score in memory takes {size:.0f} bytes",
        (
            f"first call less the one without a cache, per round: {1e3 * min(overheads):+.1f} to "
            f"{1e3 * max(overheads):+.1f} ms; looking all up takes as long as the call that knows all"
        ),
        (
            f"a short first call of the process takes {with_cache} ms, {without} ms without a cache: "
            f"the checkpoint's files are read once, to name them"
        ),
    ]
    for call in ("plain", "misses", "half"):
        notes += varied(f"{CALLS[call]}:", seconds(rounds, call))
    return Section(
        tables={title: lines},
        notes=tuple(notes),
        values={
            "lengths": workload.lengths,
            "medians": medians,
            "bytes_per_score": size,
            "loaded": [asdict(one) for one in loaded],
            "rounds": [asdict(measured) for measured in rounds],
        },
    )
