"""What several sections are made of: whose numbers these are, and what is not there."""

import re
from collections.abc import Callable, Mapping, Sequence

from .. import published
from ..published import Published
from . import gather
from .drawing import Chart, to_html
from .gather import Result
from .markup import Html, command, element, join, table

MEASURED = element("span", "measured here", class_="badge measured")
PUBLISHED = element("span", "published by Jina AI", class_="badge published")
NOTHING = "-"
UNMEASURED = "not in these results: why, and what measures it"
OTHERS = "What stands in a row completes the command."


def illustrated(
    results: Sequence[Result],
    tables: Callable[[Result], list[Html]],
    chart: Callable[[Result, int], Chart],
    *,
    how: str,
) -> tuple[list[Html], list[Chart]]:
    """Show tables and a chart of each result.

    Args:
        results: The results of one kind.
        tables: What shows the numbers of one.
        chart: What draws them, with its number among the results, from 1.
        how: The command that measures, where there are none.

    Returns:
        What the page shows, and the charts.
    """
    drawn = [chart(result, number) for number, result in enumerate(results, 1)]
    parts = [
        part
        for result, its in zip(results, drawn, strict=True)
        for part in (*tables(result), to_html(its))
    ]
    return parts or [absent(how)], drawn


def as_published(
    columns: Mapping[str, Callable[[Published], str]],
    here: Mapping[str, str],
    *,
    measured: str,
    about: str,
    how: str,
) -> list[Html]:
    """Show numbers of the announcement, beside what was measured of the same models.

    Args:
        columns: By title, what writes a published number of a model.
        here: By what loads a model, its measured number.
        measured: The title of these.
        about: What was published, and why it is not to be compared.
        how: The command that measures a model, up to its name.
    """
    header = ["model", *columns, measured, UNMEASURED]
    rows = [
        [row.model, *(write(row) for write in columns.values()), *beside(row, here)]
        for row in published.TABLE
    ]
    caption = labelled(PUBLISHED, about)
    return [
        element("h3", "As published"),
        table(header, rows, words=(0, len(header) - 1), caption=caption),
        absent(f"{how} ...", what=OTHERS),
    ]


def beside(row: Published, here: Mapping[str, str]) -> list[str]:
    """Write the measured number of a published model; or why there is none, and what gives it."""
    if row.load in here:
        return [here[row.load], ""]
    how = command(f"--reranker {row.load}")
    return [NOTHING, element("div", join([gather.why_not(row), how]), class_="why")]


def absent(how: str, *, what: str = "Nothing of this is in these results.") -> Html:
    """Say that something was not measured, and the command that does."""
    return element("p", f"{what} This measures it: ", command(how), class_="muted")


def labelled(badge: Html, text: str) -> Html:
    """Write whose numbers a table has, and what they are."""
    return join([badge, " ", text])


def interval(result: Result) -> str:
    """Say what the lines of a chart are."""
    return f"lines are {100 * result['confidence']:.0f}\N{NO-BREAK SPACE}% intervals"


def file_name(text: str) -> str:
    """Turn words into the name of a file.

    >>> file_name("speed ./my-model 1,000 documents")
    'speed-my-model-1000-documents'
    """
    return "-".join(re.findall(r"[\w.-]*\w", text.lower().replace(",", "").replace("./", "")))
