"""``python -m tests.bench``: time, memory and exactness of the engine, in one run.

Run it from the repository root. It measures and asserts nothing: numbers depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from rich.console import Console
from tokenizers import Tokenizer

from . import checkpoints, machine, measure, workloads
from .report import Report

TOKENIZER = Path("tests/fixtures/tokenizer-v1-en/tokenizer.json")
JSON = Path("bench.json")
IMPORTS = 10  # fresh interpreters with the import, and as many without


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds, at least 1 (5)")
    parser.add_argument("--quick", action="store_true", help="small workloads, to try it out")
    parser.add_argument(
        "--json", type=Path, default=JSON, metavar="PATH", help=f"every round goes there ({JSON})"
    )
    parser.add_argument(
        "--model", choices=checkpoints.CONFIGS, default="turbo", help="the shape (turbo)"
    )
    parser.add_argument(
        "--tokenizer", type=Path, default=TOKENIZER, metavar="PATH", help=f"({TOKENIZER})"
    )
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {chosen.rounds}")
    if not chosen.tokenizer.is_file():
        parser.error(f"no tokenizer at {chosen.tokenizer}: run from the repository root or name it")
    return chosen


def run(chosen: argparse.Namespace, progress: Console) -> Report:
    """Measure what the command line asks for."""
    tokenizer = Tokenizer.from_file(str(chosen.tokenizer))
    described = machine.describe()
    comparisons = []
    with tempfile.TemporaryDirectory() as directory:
        checkpoint = checkpoints.write(
            Path(directory), model=chosen.model, tokenizer=chosen.tokenizer
        )
        for shape in workloads.QUICK if chosen.quick else workloads.FULL:
            workload = workloads.build(shape, tokenizer)
            results = measure.compare(
                workload, checkpoint, rounds=chosen.rounds, say=progress.print
            )
            comparisons.append((workload, results))
    return Report(
        model=chosen.model,
        machine=described,
        comparisons=comparisons,
        import_time=measure.import_time("jina_rerank", rounds=IMPORTS),
    )


def main() -> None:
    """Measure, print, and write the file."""
    chosen = arguments()
    report = run(chosen, Console(stderr=True))
    output = Console()
    output.print(report.table())
    for note in report.notes():
        output.print(note, highlight=False, soft_wrap=True)
    chosen.json.write_text(json.dumps(report.values(), indent=1), encoding="utf-8")
    output.print(f"every round: {chosen.json}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
