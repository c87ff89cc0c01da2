"""The command `report`."""

from pathlib import Path
from typing import Annotated

import typer

from .. import terminal
from ..atomic import written
from . import gather, page
from .drawing import to_png

PAGE = "report.html"
"""The page in the folder that the user names."""


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT...",
            help="Files that evaluate, rag and benchmark wrote, in the order to show them.",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the page and the pictures go.")
    ] = Path("report"),
) -> None:
    """Make one HTML page of measured results, and its charts as pictures.

    The page needs no network and no other file. What Jina AI published of its models stands beside
    what was measured, and says so; what was not measured says why, and which command does it.
    """
    found = gather.read(results)
    text, charts = page.write(found)
    with written(out / PAGE) as file:
        file.write(text)
    for chart in charts:
        to_png(chart, out / f"{chart.name}.png")
    terminal.say(f"{out / PAGE} and {terminal.count(len(charts), 'picture')} beside it")
