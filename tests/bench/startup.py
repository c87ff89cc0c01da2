"""Times fresh processes: what an import costs, and when the first answer is there."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jina_rerank_lab.benchmark.workloads import Workload

SCRIPT = Path(__file__).with_name("first_answer.py")
STEPS = (
    "start the interpreter",
    "import jina_rerank",
    "import torch",
    "import the local backend",
    "load weights and tokenizer",
    "first rank",
    "second rank",
)
ANSWERED = STEPS.index("first rank") + 1  # steps until the first answer


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportTime:
    """Seconds that a fresh interpreter takes with the import and without, pairwise."""

    module: str
    with_import: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median with the import less the median without."""
        return statistics.median(self.with_import) - statistics.median(self.bare)


def import_time(module: str, *, rounds: int) -> ImportTime:
    """Time fresh interpreters with and without the import, in turns.

    As in an installed package the bytecode is there already: one unmeasured pair compiles it.
    """
    with tempfile.TemporaryDirectory() as cache:
        codes = (f"import {module}", "pass")
        pairs = [[start(code, cache=cache) for code in codes] for _ in range(rounds + 1)][1:]
    with_import, bare = zip(*pairs, strict=True)
    return ImportTime(module=module, with_import=with_import, bare=bare)


def start(code: str, *, cache: str) -> float:
    """Return the seconds from the start of an interpreter to its end; bytecode is in `cache`."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", code]
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment)
    return time.perf_counter() - began


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstAnswer:
    """Seconds of each of `STEPS` in each of several fresh processes."""

    model: str
    rounds: tuple[tuple[float, ...], ...]

    @property
    def steps(self) -> list[float]:
        """The median of each step."""
        return [statistics.median(step) for step in zip(*self.rounds, strict=True)]

    @property
    def total(self) -> float:
        """The median of the time from the start of the process to the first answer.

        It is not the sum of the steps' medians.
        """
        return statistics.median(sum(steps[:ANSWERED]) for steps in self.rounds)


def first_answers(models: Sequence[tuple[str, str, Workload]], *, rounds: int) -> list[FirstAnswer]:
    """Time fresh processes that rank one workload twice, the models in turns.

    The files are in the system's memory and the bytecode is compiled: one process of each model
    runs unmeasured before.

    Args:
        models: The name to report, what `Reranker` takes, and what to rank.
        rounds: Measured processes per model.
    """
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for at, (_, model, workload) in enumerate(models):
            ((query, documents),) = workload.requests
            job = {"model": model, "query": query, "documents": documents}
            jobs.append(Path(folder) / f"{at}.json")
            jobs[-1].write_text(json.dumps(job), encoding="utf-8")
        turns = [[answer(job) for job in jobs] for _ in range(rounds + 1)][1:]
    by_model = zip(*turns, strict=True)
    return [
        FirstAnswer(model=name, rounds=times)
        for (name, _, _), times in zip(models, by_model, strict=True)
    ]


def answer(job: Path) -> tuple[float, ...]:
    """Run one process and return the seconds of each step.

    ``perf_counter`` reads a clock that all processes of a machine share.
    """
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-P", str(SCRIPT), str(job)]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    stamps = [began, *json.loads(done.stdout)]
    return tuple(later - earlier for earlier, later in pairwise(stamps))
