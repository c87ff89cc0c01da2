"""The benchmark's tables on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from .. import terminal

NOTHING = "-"
EXACT = 20  # numbers below it get decimals


def show_comparison(found: Sequence[Mapping[str, Any]]) -> None:
    """Print the lines of one model and workload."""
    first = found[0]
    texts = terminal.count(first["documents"], "document")
    terminal.show(
        f"{first['model']}, {first['workload']}: {texts}, {first['tokens']:,} tokens, "
        f"{first['device']}"
    )
    priced = any(one.get("cost_per_million_documents") is not None for one in found)
    header = ["contender", "ms", "p95 ms", "docs/s", "tokens/s", "speed", "peak MB", "loaded MB"]
    header += ["score diff", "batch", *(["cost/1M docs"] if priced else [])]
    terminal.table(header, [cells(one, priced=priced) for one in found])
    for one in found:
        if "skipped" in one:
            terminal.show(f"{one['contender']} did not run: {one['skipped']}")
    terminal.show("")


def cells(one: Mapping[str, Any], *, priced: bool) -> list[str]:
    """Write a line's cells."""
    if "skipped" in one:
        return [one["contender"], *[NOTHING] * (10 if priced else 9)]
    difference = one.get("largest_score_difference")
    price = one["cost_per_million_documents"]
    return [
        one["contender"],
        milliseconds(one["percentiles"]["50"]),
        milliseconds(one["percentiles"]["95"]),
        number(one["documents_per_second"]),
        f"{one['tokens_per_second']:,.0f}",
        times(one.get("speedup")),
        megabytes(one["peak_bytes"]),
        megabytes(one["loaded"]["resident"]),
        NOTHING if difference is None else f"{difference:.0e}",
        NOTHING if one["batch"] is None else str(one["batch"]),
        *([NOTHING if price is None else f"{price:,.2f}"] if priced else []),
    ]


def show_claims(found: Sequence[Mapping[str, Any]]) -> None:
    """Print what Jina AI published beside what was measured; nothing if nothing can be compared."""
    if not found:
        return
    names = list(found[0]["measured"])
    terminal.show("What Jina AI published, on hardware not stated, beside what is measured here")
    rows = [
        [one["claim"], one["published"], *(one["measured"][name] or NOTHING for name in names)]
        for one in found
    ]
    terminal.table(["claim", "published", *names], rows)
    terminal.show("")


def times(ratio: float | None) -> str:
    """Write a ratio of speeds, with decimals as far as they say something."""
    if ratio is None:
        return NOTHING
    return f"{ratio:.2f}x" if ratio < EXACT else f"{ratio:,.0f}x"


def number(value: float) -> str:
    """Write a number, with a decimal while it is small."""
    return f"{value:.1f}" if value < EXACT else f"{value:,.0f}"


def megabytes(size: float) -> str:
    """Write bytes in millions."""
    return f"{size / 1e6:,.0f}"


def milliseconds(seconds: float) -> str:
    """Write seconds in thousandths, with decimals as far as they say something."""
    thousandths = 1e3 * seconds
    return f"{thousandths:.2f}" if thousandths < EXACT else f"{thousandths:,.0f}"
