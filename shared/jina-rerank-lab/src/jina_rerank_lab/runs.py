"""Runs: what a system found for each query, with its scores, in the files that trec_eval reads."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from jina_rerank.lines import LineError
from jina_rerank.trec import COLUMNS

from .atomic import written
from .collections import parsed

Run: TypeAlias = Mapping[str, Mapping[str, float]]
"""By query and document, the score of the document."""

SUFFIXES = (".trec", ".run", ".txt", ".tsv")
"""How the names of runs end, before ``.gz``."""


def read(
    path: Path, *, check: Callable[[str, str], None] | None = None
) -> dict[str, dict[str, float]]:
    """Read a run; its lines may stand in any order, as only scores count.

    Besides TREC's six columns, the four of MS MARCO's runs with scores are read: query, document,
    rank and score.

    Args:
        path: The file; its name may end in ``.gz``.
        check: Is called with each query and document; it raises a `LineError` for what may not be.

    Raises:
        InputError: The file cannot be read, or a line of it is no line of a run; the message names
            both.
    """
    run: dict[str, dict[str, float]] = {}

    def parse(_number: int, line: str) -> None:
        query, document, score = _row(line)
        if check is not None:
            check(query, document)
        found = run.setdefault(query, {})
        if document in found:
            msg = f"document {document!r} stands further up too for query {query!r}"
            raise LineError(msg)
        found[document] = score

    for _ in parsed(path, parse):
        pass
    return run


def _row(line: str) -> tuple[str, str, float]:
    columns = line.split()
    if len(columns) == len(COLUMNS):
        query, document, score = columns[0], columns[2], columns[4]
    elif len(columns) == 4:  # noqa: PLR2004 - see `read`
        query, document, _, score = columns
    else:
        msg = f"has {len(columns)} columns; a TREC run has {len(COLUMNS)}: {' '.join(COLUMNS)}"
        raise LineError(msg)
    try:
        value = float(score)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = f"its score {score!r} is not a number"
        raise LineError(msg)
    return query, document, value


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Sort documents as trec_eval does: by score, and equal ones by id, backwards.

    >>> ranked({"a": 1.0, "b": 2.0, "c": 1.0})
    ['b', 'c', 'a']
    """
    return sorted(scores, key=lambda name: (scores[name], name), reverse=True)


def cut(run: Run, depth: int) -> dict[str, dict[str, float]]:
    """Keep the best documents of each query.

    >>> cut({"q": {"a": 1.0, "b": 2.0}}, 1)
    {'q': {'b': 2.0}}
    """
    return {
        query: {name: scores[name] for name in ranked(scores)[:depth]}
        for query, scores in run.items()
    }


def write(path: Path, run: Run, *, tag: str) -> None:
    """Write a run; the file appears when it is whole.

    Args:
        path: Where to.
        run: The scores, which are written with all their digits.
        tag: The name of the system; white space becomes an underscore.
    """
    name = "_".join(tag.split())
    with written(path) as file:
        for query, scores in run.items():
            file.writelines(_lines(query, scores, name))


def _lines(query: str, scores: Mapping[str, float], tag: str) -> Sequence[str]:
    return [
        f"{query} Q0 {document} {rank} {scores[document]!r} {tag}\n"
        for rank, document in enumerate(ranked(scores), 1)
    ]
