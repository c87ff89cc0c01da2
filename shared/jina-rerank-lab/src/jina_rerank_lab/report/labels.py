"""Where the names of points go, so that none covers another."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from .theme import Theme

PLACES = (
    (7, 0, "left", "center"),
    (-7, 0, "right", "center"),
    (0, 8, "center", "bottom"),
    (0, -8, "center", "top"),
    (7, 9, "left", "bottom"),
    (7, -9, "left", "top"),
    (-7, 9, "right", "bottom"),
    (-7, -9, "right", "top"),
)
"""Around a point, in points of text: where a name is tried, the best first."""

ROOM = 4
"""Pixels around a point that no other name may cover."""


def place(axes: Axes, points: Sequence[tuple[float, float, str]], theme: Theme) -> None:
    """Write names beside their points.

    Args:
        axes: Where the points are; its limits and its size have to be final.
        points: x, y and the name of each.
        theme: The colour of the names.
    """
    figure = axes.get_figure()
    if not isinstance(figure, Figure):
        msg = "names need axes of a figure"
        raise TypeError(msg)
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call] # matplotlib's
    inside = axes.get_window_extent(renderer)
    centres = axes.transData.transform([point[:2] for point in points])
    taken = [Bbox.from_extents(x - ROOM, y - ROOM, x + ROOM, y + ROOM) for x, y in centres]
    for at, (x, y, name) in enumerate(points):
        others = taken[:at] + taken[at + 1 :]
        tried: list[tuple[float, int, Bbox]] = []
        for where in PLACES:
            text = _write(axes, (x, y), name, where, theme)
            box = text.get_window_extent(renderer)
            text.remove()
            cost = sum(_overlap(box, other) for other in others) + _outside(box, inside)
            tried.append((cost, len(tried), box))
        _, best, box = min(tried, key=lambda one: one[:2])
        _write(axes, (x, y), name, PLACES[best], theme)
        taken.append(box)


def _write(
    axes: Axes,
    point: tuple[float, float],
    name: str,
    where: tuple[int, int, str, str],
    theme: Theme,
) -> Annotation:
    dx, dy, across, along = where
    return axes.annotate(
        name,
        point,
        (dx, dy),
        textcoords="offset points",
        ha=across,
        va=along,
        color=theme.ink,
        fontsize="small",
    )


def _overlap(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return 0.0 if both is None else float(both.width * both.height)


def _outside(box: Bbox, inside: Bbox) -> float:
    """What sticks out costs more than what covers something."""
    across = max(inside.x0 - box.x0, 0) + max(box.x1 - inside.x1, 0)
    along = max(inside.y0 - box.y0, 0) + max(box.y1 - inside.y1, 0)
    return float(1000 * (across + along))
