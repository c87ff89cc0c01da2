"""What several sections are made of: whose numbers these are, and what is not there."""

import re
from collections.abc import Mapping

from ..published import Published
from . import gather
from .gather import Result
from .markup import Html, command, element, join

MEASURED = element("span", "measured here", class_="badge measured")
PUBLISHED = element("span", "published by Jina AI", class_="badge published")
NOTHING = "-"
UNMEASURED = "not in these results: why, and what measures it"
OTHERS = "What stands in a row completes the command."


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
