"""Files of results: JSON with what was measured, and when, how and on what it was."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jina_rerank.lines import InputError

from . import machine, terminal
from .atomic import written
from .loading import load

SCHEMA = 1
"""Goes up when files of before can no longer be read."""

KINDS = ("evaluation", "rag", "benchmark", "distillation")
"""What results there are."""


def made() -> dict[str, Any]:
    """Say when, by which command and on what machine something is made."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([terminal.PROGRAM, *sys.argv[1:]]),
        "machine": asdict(machine.describe()),
        "versions": machine.versions(),
    }


def write(path: Path, kind: str, value: Mapping[str, Any]) -> None:
    """Write a file of results; it appears when it is whole.

    Args:
        path: Where to.
        kind: Which of `KINDS`.
        value: What was measured, as JSON knows it; its ``made`` is kept, if it has one.

    Raises:
        ValueError: There is no such kind.
        JinaRerankError: The file cannot be written.
    """
    if kind not in KINDS:
        msg = f"kind must be one of {', '.join(KINDS)}, got {kind!r}"
        raise ValueError(msg)
    whole = {"schema": SCHEMA, "kind": kind, "made": made(), **value}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    with written(path) as file:
        file.write(f"{text}\n")


def read(path: Path, kind: str | None = None) -> dict[str, Any]:
    """Read a file of results.

    Args:
        path: The file.
        kind: Which of `KINDS` it has to be; None is any.

    Raises:
        InputError: There is no such file, or it is no file of results, or of another kind.
    """
    value = load(path, json.loads, "JSON", hint=f"results are written by {terminal.PROGRAM}")
    wanted = KINDS if kind is None else (kind,)
    found = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(value, dict) or found not in wanted:
        msg = f"{str(path)!r} is of kind {found!r}, not {' or '.join(wanted)}"
        raise InputError(msg)
    if value.get("schema") != SCHEMA:
        msg = f"{str(path)!r} has schema {value.get('schema')!r}, not {SCHEMA}; measure again"
        raise InputError(msg)
    return value
