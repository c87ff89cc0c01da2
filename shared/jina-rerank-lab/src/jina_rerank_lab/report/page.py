"""The page: one file without a request to anywhere, light and dark, wide and narrow."""

from importlib.resources import files

from .. import machine
from . import quality, retrieval, speed
from .drawing import Chart
from .gather import Result, Results
from .markup import Html, command, element, join
from .pieces import MEASURED, PUBLISHED
from .theme import DARK, LIGHT, variables

TITLE = "Rerankers, measured"
SECTIONS = (
    ("quality", "Quality", quality.quality),
    ("rag", "Retrieval for RAG", retrieval.rag),
    ("trade", "Quality against throughput", speed.trade),
    ("speed", "Speed, memory and cost", speed.speeds),
    ("length", "Length, up to 8,192 tokens", speed.lengths),
)


def write(found: Results) -> tuple[str, list[Chart]]:
    """Make the page.

    Args:
        found: The files of results.

    Returns:
        The page, and its charts in their order.
    """
    parts: list[Html] = []
    drawn: list[Chart] = []
    for name, title, make in SECTIONS:
        content, its = make(found)
        parts.append(element("section", element("h2", title, id=name), *content))
        drawn += its
    parts.append(element("section", element("h2", "How it was measured", id="made"), made(found)))
    body = element("body", header(), element("main", *parts), footer())
    return f'<!doctype html>\n<html lang="en">{head()}{body}</html>\n', drawn


def head() -> Html:
    """Write what is not shown."""
    css = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    css = css.replace("LIGHT", variables(LIGHT)).replace("DARK", variables(DARK))
    return element(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", TITLE),
        element("style", Html(css)),
    )


def header() -> Html:
    """Say what the page is, and what its two kinds of numbers are."""
    lead = join(
        [
            "How well and how fast small rerankers work: ",
            MEASURED,
            " numbers come from the files of results below; ",
            PUBLISHED,
            " numbers are those of its announcement, and stand apart.",
        ]
    )
    links = [element("a", title, href=f"#{name}") for name, title, _ in SECTIONS]
    links.append(element("a", "How it was measured", href="#made"))
    return element(
        "header",
        element("h1", TITLE),
        element("p", lead, class_="lead"),
        element("nav", *links, aria_label="Sections"),
    )


def made(found: Results) -> Html:
    """Say for every file of results when, by which command and on what it was made."""
    every = [*found.evaluations, *found.rags, *found.benchmarks]
    return join([origin(one) for one in every])


def origin(result: Result) -> Html:
    """Say where a file of results comes from."""
    made = result["made"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return element(
        "div",
        element("h3", f"{result['kind'].capitalize()}, {made['date'][:10]}"),
        element("p", command(made["command"])),
        element("p", f"{machine.said(made['machine'])}. {versions}.", class_="muted"),
    )


def footer() -> Html:
    """Say what made the page."""
    return element("footer", "Made by jina-rerank-lab report.")
