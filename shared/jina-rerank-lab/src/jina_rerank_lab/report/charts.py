"""The charts, each a function of what it shows; none of them knows where its numbers come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from . import labels
from .theme import Theme

ROW = 0.34
"""Inches for a row of a chart with one row for each system."""

MARGIN = 0.95
"""Inches above and below the rows."""

RATIO = 0.62
"""Of height and width, where a chart has no rows."""

TALL = 1.0
"""The same, of a narrow one."""

NARROW_BELOW = 5.0
"""Inches: a narrower chart is for a hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A number with its interval.

    Attributes:
        name: Whose.
        value: The number.
        low: Where the interval starts; the value itself without one.
        high: Where it ends.
        ours: True for what this project made.
    """

    name: str
    value: float
    low: float
    high: float
    ours: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A place in a scatter.

    Attributes:
        name: Whose.
        x: How fast.
        y: How good.
        published: True if y is Jina AI's number, not ours.
    """

    name: str
    x: float
    y: float
    published: bool


def intervals(
    theme: Theme, width: float, *, bars: Sequence[Bar], label: str, digits: int
) -> Figure:
    """Draw a row for each system: the value, and its interval as a line.

    Args:
        theme: Colours.
        width: Inches.
        bars: The rows, from the top.
        label: Of the axis.
        digits: Decimals of the values.
    """
    figure, axes = _new(width, MARGIN + ROW * len(bars))
    for row, bar in enumerate(reversed(bars)):
        colour = theme.ours if bar.ours else theme.other
        axes.plot([bar.low, bar.high], [row, row], color=colour, linewidth=2, alpha=0.55)
        axes.plot([bar.value], [row], "o", color=colour, markersize=7)
        axes.annotate(
            f"{bar.value:.{digits}f}",
            (bar.value, row),
            (0, 6),
            textcoords="offset points",
            ha="center",
            color=theme.ink,
            fontsize="small",
        )
    axes.set_ylim(-0.6, len(bars) - 0.25)
    _rows(axes, [bar.name for bar in reversed(bars)])
    axes.set_xlabel(label)
    return figure


def rates(theme: Theme, width: float, *, bars: Sequence[Bar], label: str) -> Figure:
    """Draw a bar for each contender, as long as it is fast."""
    figure, axes = _new(width, MARGIN + ROW * len(bars))
    most = max(bar.value for bar in bars)
    for row, bar in enumerate(reversed(bars)):
        colour = theme.ours if bar.ours else theme.other
        axes.barh([row], [bar.value], height=0.62, color=colour)
        axes.annotate(
            f"{bar.value:,.0f}" if bar.value >= 10 else f"{bar.value:.1f}",  # noqa: PLR2004 - digits
            (bar.value, row),
            (5, 0),
            textcoords="offset points",
            va="center",
            color=theme.ink,
            fontsize="small",
        )
    axes.set_xlim(0, most * 1.14)
    axes.set_ylim(-0.6, len(bars) - 0.4)
    _rows(axes, [bar.name for bar in reversed(bars)])
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.set_xlabel(label)
    return figure


def scatter(  # noqa: PLR0913 - two axes and what is on them
    theme: Theme, width: float, *, points: Sequence[Point], x_label: str, y_label: str, digits: int
) -> Figure:
    """Draw quality against throughput: the best are at the top and to the right."""
    figure, axes = _new(width, width * (TALL if width < NARROW_BELOW else RATIO))
    for point in points:
        axes.plot(
            [point.x],
            [point.y],
            "D" if point.published else "o",
            color=theme.published if point.published else theme.ours,
            fillstyle="none" if point.published else "full",
            markersize=7,
            markeredgewidth=1.8,
        )
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.14)
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.xaxis.set_minor_formatter(FuncFormatter(_some))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.{digits}f}"))
    axes.tick_params(which="minor", labelsize="small")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    labels.place(axes, [(point.x, point.y, point.name) for point in points], theme)
    return figure


def lengths(
    theme: Theme, width: float, *, lines: Mapping[str, Sequence[tuple[int, float]]], label: str
) -> Figure:
    """Draw how something grows with the length of a document, both axes logarithmic.

    Args:
        theme: Colours.
        width: Inches.
        lines: By contender, tokens and value of each point.
        label: Of the values.
    """
    figure, axes = _new(width, width * (TALL if width < NARROW_BELOW else RATIO))
    dashes = ("-", "--", ":", "-.")
    seen = {True: 0, False: 0}
    for name, points in lines.items():
        ours = name.startswith("engine")
        axes.plot(
            [tokens for tokens, _ in points],
            [value for _, value in points],
            dashes[seen[ours] % len(dashes)],
            marker="o",
            markersize=4,
            color=theme.ours if ours else theme.other,
            label=name,
        )
        seen[ours] += 1
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({tokens for points in lines.values() for tokens, _ in points})
    axes.set_xticks(
        ticks, [f"{tokens:,}" for tokens in ticks], rotation=0 if width > NARROW_BELOW else 45
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    axes.set_xlabel("tokens of the document")
    axes.set_ylabel(label)
    axes.legend(fontsize="small")
    return figure


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    return figure, axes


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _plain(value: float, _: object) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _some(value: float, _: object) -> str:
    """Label the 2 and the 5 between two powers of ten."""
    first = f"{value:e}"[0]
    return _plain(value, None) if first in "25" else ""
