"""The parts of the benchmark: each measures one thing and hands back a `Section`."""

from collections.abc import Callable

from ..report import Section
from ..run import Run
from . import cache, engine, first_answer, peers, server, shapes

PARTS: dict[str, Callable[[Run], Section]] = {
    "first-answer": first_answer.measure,
    "engine": engine.measure,
    "shapes": shapes.measure,
    "cache": cache.measure,
    "peers": peers.measure,
    "server": server.measure,
}
"""By the name that ``--only`` takes, in the order in which they run."""
