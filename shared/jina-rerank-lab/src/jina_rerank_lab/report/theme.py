"""Colours by what they mean: names in the page, which has them light and dark; values in PNGs."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """Colours of a chart.

    Attributes:
        ink: Text.
        muted: What is less than text: axes, notes.
        grid: Lines behind the points.
        surface: Behind everything.
        ours: What this project measured of its own engine or model.
        other: What it measured of others.
        published: What Jina AI published.
    """

    ink: str = "#1c2430"
    muted: str = "#5b6675"
    grid: str = "#dfe4ea"
    surface: str = "#ffffff"
    ours: str = "#0b6e6e"
    other: str = "#8a94a3"
    published: str = "#b4530a"


LIGHT = Theme()
DARK = Theme(
    ink="#e8ecf1",
    muted="#a3aebb",
    grid="#333c47",
    surface="#14191f",
    ours="#4fc3bd",
    other="#8793a2",
    published="#f0a35e",
)

_NAMES = [field.name for field in fields(Theme)]

NAMED = replace(LIGHT, **{name: f"#0{number}0f0e" for number, name in enumerate(_NAMES, 1)})
"""Colours that nobody sees: each stands for a name until `named` puts the name in its place."""


def named(svg: str) -> str:
    """Let an SVG that was drawn in `NAMED` take its colours from the page around it."""
    for name in _NAMES:
        svg = svg.replace(getattr(NAMED, name), f"var(--{name})")
    return svg


def variables(theme: Theme) -> str:
    """Write the colours as CSS.

    >>> variables(LIGHT).split(";")[0]
    '--ink: #1c2430'
    """
    return "; ".join(f"--{name}: {getattr(theme, name)}" for name in _NAMES)
