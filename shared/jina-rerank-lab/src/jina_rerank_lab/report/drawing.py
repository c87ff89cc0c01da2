"""Charts as files: PNGs for slides, and SVGs that take the colours of the page around them."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from jina_rerank.errors import JinaRerankError

from .markup import Html, element, join
from .theme import LIGHT, NAMED, Theme, named

DPI = 160
WIDE, NARROW = 7.6, 3.7
"""Inches: what is read on a desk, and in a hand."""

SIZE = 10
"""Points of text: a wide chart is as wide as its column, so that they are about those of the page."""

Draw = Callable[[Theme, float], Figure]
"""Draws a chart in the colours of a theme, so many inches wide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A chart with what is said of it.

    Attributes:
        name: Of its file.
        title: What it shows, in a sentence.
        note: What has to be known to read it.
        draw: Draws it.
    """

    name: str
    title: str
    note: str
    draw: Draw


@contextmanager
def style(theme: Theme) -> Iterator[None]:
    """Set what all charts share."""
    with mpl.rc_context(
        {
            "axes.edgecolor": theme.grid,
            "axes.facecolor": "none",
            "axes.grid": True,
            "axes.labelcolor": theme.muted,
            "axes.labelsize": SIZE,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlecolor": theme.ink,
            "axes.titlesize": SIZE,
            "figure.facecolor": theme.surface,
            "font.family": "sans-serif",
            "font.size": SIZE,
            "grid.color": theme.grid,
            "grid.linewidth": 0.8,
            "legend.frameon": False,
            "legend.labelcolor": theme.ink,
            "savefig.facecolor": theme.surface,
            "svg.fonttype": "none",  # text stays text: it is found, and has the font of the page
            "svg.hashsalt": "jina-rerank-lab",
            "text.color": theme.ink,
            "xtick.color": theme.muted,
            "xtick.labelcolor": theme.ink,
            "ytick.color": theme.muted,
            "ytick.labelcolor": theme.ink,
        }
    ):
        yield


def to_svg(chart: Chart, width: float) -> Html:
    """Draw a chart to stand in a page."""
    with style(NAMED):
        figure = chart.draw(NAMED, width)
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    written = file.getvalue()
    # What stands before is the prolog of a file of its own, with the address of a DTD.
    return Html(named(written[written.index("<svg") :]))


def to_png(chart: Chart, path: Path) -> None:
    """Draw a chart into a file.

    Raises:
        JinaRerankError: It cannot be written.
    """
    with style(LIGHT):
        figure = chart.draw(LIGHT, WIDE)
        figure.suptitle(chart.title, x=0.01, ha="left", color=LIGHT.ink, fontsize=SIZE + 2)
        try:
            figure.savefig(path, dpi=DPI, metadata={"Software": None})
        except OSError as error:
            msg = f"{str(path)!r} cannot be written: {error.strerror}"
            raise JinaRerankError(msg) from error


def to_html(chart: Chart) -> Html:
    """Put a chart on the page, wide and narrow: the style shows one of them."""
    drawn = [
        element("div", to_svg(chart, width), class_=name, role="img", aria_label=chart.title)
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    ]
    said = [element("strong", chart.title)] + ([f" {chart.note}"] if chart.note else [])
    return element("figure", element("figcaption", join(said)), *drawn)
