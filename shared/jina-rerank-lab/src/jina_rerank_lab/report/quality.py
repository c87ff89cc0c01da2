"""The section on quality: what evaluations measured, and BEIR as it was published."""

from functools import partial

from .. import published
from ..evaluation import tables
from ..evaluation.summary import MEAN
from ..evaluation.tables import MARK, SIGNIFICANT, cell, hundredths
from ..terminal import PROGRAM
from . import charts, gather
from .drawing import Chart
from .gather import Result, Results
from .markup import Html, element, table
from .pieces import MEASURED, as_published, illustrated, interval, labelled

EVALUATE = f"{PROGRAM} evaluate --data scifact nfcorpus fiqa --out results --reranker"


def quality(found: Results) -> tuple[list[Html], list[Chart]]:
    """Show what evaluations measured, and BEIR as it was published."""
    parts, drawn = illustrated(found.evaluations, evaluation, quality_chart, how=f"{EVALUATE} nano")
    here = {
        name: hundredths(row["value"])
        for result in found.evaluations
        for name, row in gather.system_means(result).items()
    }
    parts += as_published(
        {
            "parameters": lambda row: f"{row.parameters}M",
            "nDCG@10, published": lambda row: f"{row.beir:.2f}",
        },
        here,
        measured="measured here",
        about=f"Mean nDCG@10 over BEIR, in hundredths. {published.SOURCE}. Other collections "
        "than ours: not to be compared with the numbers measured here.",
        how=EVALUATE,
    )
    return parts, drawn


def evaluation(result: Result) -> list[Html]:
    """Show the tables of one evaluation."""
    metric, baseline = result["metrics"][0], result["baselines"][0]
    caption = labelled(
        MEASURED,
        f"{metric} in hundredths, candidates of {result['retriever']}; {MARK} differs from "
        f"{baseline}, p < {SIGNIFICANT}.",
    )
    cells = {
        (row["collection"], row["system"]): row for row in result["rows"] if row["metric"] == metric
    }
    rows = []
    for each in result["collections"]:
        asked = f"{each['queries']:,} of {each['queries_in_all']:,}"
        values = [cell(cells[each["name"], name], baseline) for name in result["systems"]]
        rows.append([each["name"], asked, str(each["candidates"]), *values])
    if len(result["collections"]) > 1:
        means = [cell(cells[MEAN, name], baseline) for name in result["systems"]]
        rows.append([element("strong", "mean"), "", "", *(element("strong", one) for one in means)])
    header = ["collection", "queries", "candidates", *result["systems"]]
    return [table(header, rows, caption=caption), *differences(result)]


def differences(result: Result) -> list[Html]:
    """Say in a list how each system differs from the first baseline, over all collections."""
    baseline = result["baselines"][0]
    lines = [
        element("li", f"{system} against {other}: {value} ({interval}), p {p}")
        for system, other, value, interval, p in tables.differences(result)[1]
        if other == baseline
    ]
    return [element("ul", *lines)] if lines else []


def quality_chart(result: Result, number: int) -> Chart:
    """Draw the systems of an evaluation."""
    metric = result["metrics"][0]
    of = len(result["collections"])
    where = f"mean of {of} collections" if of > 1 else result["collections"][0]["name"]
    return Chart(
        name=f"quality-{number}",
        title=f"{metric}, {where}, measured here",
        note=f"{interval(result)} over queries.".capitalize(),
        draw=partial(
            charts.intervals,
            bars=gather.quality_bars(result),
            label=f"{metric}, hundredths",
            digits=1,
        ),
    )
