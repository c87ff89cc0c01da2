"""The tables on a page: everything between two comments is what was measured last."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jina_rerank.lines import InputError

from .. import machine
from ..atomic import written
from . import tables
from .tables import hundredths, markdown

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
"""What stands around the tables of a page."""


def renew(path: Path, result: Mapping[str, Any]) -> None:
    """Put the tables of a result on a page; raises as `put` does."""
    put(path, text(result))


def put(path: Path, measured: str) -> None:
    """Put what was measured on a page, in the place of what is there.

    Raises:
        InputError: The page cannot be read, or has no place for it.
    """
    before, after = _around(path)
    with written(path) as file:
        file.write(f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}")


def check(path: Path) -> None:
    """Raise as `put` would, before hours of work."""
    _around(path)


def _around(path: Path) -> tuple[str, str]:
    try:
        page = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{str(path)!r} cannot be read as a page: {error}"
        raise InputError(msg) from error
    # Lines of their own: a page may also tell about them.
    found = re.fullmatch(f"(.*^){BEGIN}$.*^{END}$(.*)", page, re.DOTALL | re.MULTILINE)
    if found is None:
        msg = f"{str(path)!r} has no lines {BEGIN!r} and {END!r}, between which the tables go"
        raise InputError(msg)
    return found[1], found[2]


def text(result: Mapping[str, Any]) -> str:
    """Write the tables of a result, and what they were measured on."""
    main = result["metrics"][0]
    baseline = result["baselines"][0]
    parts = [
        where(result["made"]),
        f"{main}, in hundredths; {tables.MARK} differs from {baseline} (p < {tables.SIGNIFICANT}):",
        markdown(tables.quality(result, main), left=2),
        _depths(result),
        _mean_of(result),
        markdown(tables.means(result)),
    ]
    header, rows = tables.differences(result)
    if rows:
        parts += [
            f"Differences in {main} on the same queries; p by a paired randomization test:",
            markdown((header, rows), left=2),
        ]
    if result["fusion"]:
        parts += [
            f"{main} of blends by the reranker's share, mean of the collections:",
            markdown(tables.blends(result)),
            *map(_chosen, result["fusion"]),
        ]
    return "\n\n".join(parts)


def where(made: Mapping[str, Any]) -> str:
    """Say when and on what something was measured."""
    versions = made["versions"]
    return (
        f"Measured on {made['date'][:10]}: {machine.said(made['machine'])}; "
        f"jina-rerank {versions['jina-rerank']}, torch {versions['torch']}."
    )


def _depths(result: Mapping[str, Any]) -> str:
    depths: dict[int, list[str]] = {}
    for each in result["collections"]:
        depths.setdefault(each["candidates"], []).append(each["name"])
    usual = max(depths, key=lambda depth: len(depths[depth]))
    others = [f"{depth} on {', '.join(names)}" for depth, names in depths.items() if depth != usual]
    said = f"Each query has the {usual} best candidates of {result['retriever']}"
    return f"{said}; {'; '.join(others)}." if others else f"{said}."


def _mean_of(result: Mapping[str, Any]) -> str:
    count = len(result["collections"])
    of = f"The mean of the {count} collections" if count > 1 else "The collection"
    return f"{of}, all metrics; the interval is of {result['metrics'][0]}:"


def _chosen(blend: Mapping[str, Any]) -> str:
    shares = [f"{100 * weight:.0f} %" for weight in sorted(set(blend["chosen"].values()))]
    best = max(zip(blend["mean"], blend["weights"], strict=True))
    return (
        f"{blend['reranker']}: best at {100 * best[1]:.0f} % ({hundredths(best[0])}); the blend in "
        f"the tables above takes for each collection the share that is best on all others "
        f"({', '.join(shares)})."
    )
