"""The tables of an evaluation, for a terminal and for a page."""

from collections.abc import Mapping
from typing import Any

from .summary import MEAN, overall

SIGNIFICANT = 0.05
"""A difference with a smaller p is marked."""

MARK = "*"

Table = tuple[list[str], list[list[str]]]
"""A header and rows."""


def quality(result: Mapping[str, Any], metric: str) -> Table:
    """Make a table of one metric: a row for each collection, a column for each system.

    Numbers are hundredths; one with a mark differs from the first baseline.
    """
    systems = result["systems"]
    found = {(r["collection"], r["system"]): r for r in result["rows"] if r["metric"] == metric}
    facts = {each["name"]: each for each in result["collections"]}
    names = [*facts, MEAN] if len(facts) > 1 else list(facts)
    rows = []
    for name in names:
        asked = _asked(facts[name]) if name in facts else ""
        cells = [cell(found[name, system], result["baselines"][0]) for system in systems]
        rows.append([name, asked, *cells])
    return ["collection", "queries", *systems], rows


def _asked(facts: Mapping[str, Any]) -> str:
    queries, everything = facts["queries"], facts["queries_in_all"]
    return str(queries) if queries == everything else f"{queries} of {everything:,}"


def cell(row: Mapping[str, Any], baseline: str) -> str:
    """Write the value of a row in hundredths, with a mark if it differs from the baseline's."""
    difference = row["against"].get(baseline)
    mark = MARK if difference is not None and difference["p"] < SIGNIFICANT else ""
    return f"{hundredths(row['value'])}{mark}"


def means(result: Mapping[str, Any]) -> Table:
    """Make a table of all metrics, on the mean of all collections or on the only one."""
    found = whole(result)
    main, *others = result["metrics"]
    rows = []
    for system in result["systems"]:
        row = found[system, main]
        interval = f"{hundredths(row['low'])} to {hundredths(row['high'])}"
        more = [hundredths(found[system, metric]["value"]) for metric in others]
        rows.append([system, hundredths(row["value"]), interval, *more])
    return ["system", main, "95 % interval", *others], rows


def differences(result: Mapping[str, Any]) -> Table:
    """Make a table of how systems differ in the first metric from each baseline."""
    found = whole(result)
    main = result["metrics"][0]
    rows = []
    for baseline in result["baselines"]:
        for system in result["systems"]:
            difference = found[system, main]["against"].get(baseline)
            if difference is not None:
                value, low, high = (f"{100 * difference[n]:+.1f}" for n in ("value", "low", "high"))
                p = probability(difference["p"])
                rows.append([system, baseline, value, f"{low} to {high}", p])
    return ["system", "against", main, "95 % interval", "p"], rows


def whole(result: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return by system and metric the row of all collections, or of the only one."""
    name = overall([each["name"] for each in result["collections"]])
    return {(r["system"], r["metric"]): r for r in result["rows"] if r["collection"] == name}


def blends(result: Mapping[str, Any]) -> Table:
    """Make a table of blends: a row for each reranker, a column for each weight."""
    weights = result["fusion"][0]["weights"]
    header = ["share of", *(f"{100 * weight:.0f} %" for weight in weights)]
    rows = [[each["reranker"], *map(hundredths, each["mean"])] for each in result["fusion"]]
    return header, rows


def hundredths(value: float) -> str:
    """Write a value between 0 and 1 as tables of retrieval do.

    >>> hundredths(0.525)
    '52.5'
    """
    return f"{100 * value:.1f}"


def probability(p: float) -> str:
    """Write a p-value.

    >>> probability(0.034), probability(0.0001)
    ('0.034', '< 0.001')
    """
    least = 0.001
    return f"{p:.3f}" if p >= least else f"< {least}"


def markdown(table: Table, *, left: int = 1) -> str:
    """Write a table in Markdown, its columns of numbers to the right.

    >>> print(markdown((["system", "nDCG@10"], [["nano", "52.5"]])))
    | system | nDCG@10 |
    |---|--:|
    | nano | 52.5 |
    """
    header, rows = table
    rule = ["---" if number < left else "--:" for number in range(len(header))]
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([f"| {' | '.join(header)} |", f"|{'|'.join(rule)}|", *lines])
