"""Another cross-encoder through the engine, against sentence-transformers."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from jina_rerank_lab.benchmark.contenders import CROSS_ENCODER, FLOAT32
from jina_rerank_lab.benchmark.measure import Entrant, compare
from jina_rerank_lab.benchmark.torch_peers import CROSS_ENCODER_BATCH

from ..report import Section
from ..run import PEER_MODEL, Run
from . import engine

LIBRARIES = ("sentence-transformers", "transformers")


def measure(run: Run) -> Section:
    """Compare on passages, both in float32; the peer is what the engine is compared with."""
    workload = run.workload(PEER_MODEL)
    directory = run.checkpoint(PEER_MODEL)
    entrants = [
        Entrant(name=who.name, contender=who, directory=directory, workload=workload)
        for who in (CROSS_ENCODER, FLOAT32)
    ]
    results = compare(entrants, rounds=run.rounds, say=run.say)
    versions = ", ".join(map(installed, LIBRARIES))
    return engine.section(
        "Another cross-encoder, shape of ms-marco-MiniLM-L-6-v2, random weights",
        [(workload, results)],
        notes=(
            f"CrossEncoder.predict in batches of {CROSS_ENCODER_BATCH}, its default; {versions}",
        ),
    )


def installed(library: str) -> str:
    """Return a library and its version."""
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return f"{library} is not installed"
