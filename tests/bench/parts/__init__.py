"""The parts of the benchmark: each measures one thing and hands back a `Section`."""

from collections.abc import Callable

from ..report import Section
from ..run import Run
from . import cache, engine, first_answer, peers, runtimes, scaling, shapes, shares, threads


def measure_server(run: Run) -> Section:
    """Measure the server, which the engine does without."""
    from . import server  # noqa: PLC0415 - another distribution's

    return server.measure(run)


PARTS: dict[str, Callable[[Run], Section]] = {
    "first-answer": first_answer.measure,
    "engine": engine.measure,
    "shares": shares.measure,
    "scaling": scaling.measure,
    "threads": threads.measure,
    "runtimes": runtimes.measure,
    "shapes": shapes.measure,
    "cache": cache.measure,
    "peers": peers.measure,
    "server": measure_server,
}
"""By the name that ``--only`` takes, in the order in which they run."""
