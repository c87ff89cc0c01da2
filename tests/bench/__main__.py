"""``python -m tests.bench``: time, memory and exactness of the engine, in one run.

Run it from the repository root. It measures and asserts nothing: numbers depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jina_rerank_lab.benchmark import checkpoints
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from . import machine
from .parts import PARTS
from .report import Section
from .run import Run

TOKENIZER = Path("tests/fixtures/tokenizer-v1-en/tokenizer.json")
JSON = Path("bench.json")
ROUNDS, QUICK_ROUNDS = 5, 2
WIDTH = 100  # of what is not printed on a terminal


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", metavar="PART,...", default=",".join(PARTS), help=f"of {', '.join(PARTS)} (all)"
    )
    parser.add_argument(
        "--rounds", type=int, help=f"timed rounds, at least 1 ({ROUNDS}; quick: {QUICK_ROUNDS})"
    )
    parser.add_argument("--quick", action="store_true", help="small workloads, to try it out")
    parser.add_argument(
        "--json", type=Path, default=JSON, metavar="PATH", help=f"every round goes there ({JSON})"
    )
    parser.add_argument(
        "--model",
        choices=checkpoints.CONFIGS,
        default="turbo",
        help="the shape for all parts but shapes and peers (turbo)",
    )
    parser.add_argument(
        "--tokenizer", type=Path, default=TOKENIZER, metavar="PATH", help=f"({TOKENIZER})"
    )
    chosen = parser.parse_args()
    chosen.parts = [name for name in PARTS if name in chosen.only.split(",")]
    if unknown := set(chosen.only.split(",")) - set(PARTS):
        parser.error(f"--only knows {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    if chosen.rounds is None:
        chosen.rounds = QUICK_ROUNDS if chosen.quick else ROUNDS
    if chosen.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {chosen.rounds}")
    if not chosen.tokenizer.is_file():
        parser.error(f"no tokenizer at {chosen.tokenizer}: run from the repository root or name it")
    return chosen


def show(section: Section, output: Console) -> None:
    """Print a part's tables and notes."""
    for title, lines in section.tables.items():
        output.print(title, style="bold", highlight=False)
        output.print(lines)
    notes = Table.grid(padding=(0, 1))
    for note in section.notes:
        notes.add_row("-", note)
    output.print(notes)
    output.print()


def main() -> None:
    """Measure part by part; print each and write the file when it is done, so that none is lost."""
    chosen = arguments()
    progress = Console(stderr=True)
    output = Console(width=None if sys.stdout.isatty() else WIDTH)
    described = machine.describe()
    report: dict[str, Any] = {
        "machine": asdict(described),
        "rounds": chosen.rounds,
        "quick": chosen.quick,
        "model": chosen.model,
        "parts": {},
    }
    output.print(str(described), highlight=False)
    output.print()
    with tempfile.TemporaryDirectory() as directory:
        run = Run(
            rounds=chosen.rounds,
            quick=chosen.quick,
            model=chosen.model,
            v1_tokenizer=Tokenizer.from_file(str(chosen.tokenizer)),
            directory=Path(directory),
            say=progress.print,
        )
        for name in chosen.parts:
            section = PARTS[name](run)
            show(section, output)
            report["parts"][name] = section.values
            chosen.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    output.print(f"every round: {chosen.json}", highlight=False)


if __name__ == "__main__":
    main()
