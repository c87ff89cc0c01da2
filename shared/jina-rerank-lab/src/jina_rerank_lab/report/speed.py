"""The sections on speed: contenders, costs, claims, length, and quality against throughput."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from .. import published
from ..benchmark import tables as written
from ..terminal import PROGRAM
from . import charts, gather
from .charts import Bar
from .drawing import Chart, to_html
from .gather import Results
from .markup import Html, element, join, table
from .pieces import MEASURED, NOTHING, PUBLISHED, absent, file_name, labelled

BENCHMARK = f"{PROGRAM} benchmark --contender engine"
LENGTHS = f"--length {' '.join(str(2**power) for power in range(7, 14))}"


def trade(found: Results) -> tuple[list[Html], list[Chart]]:
    """Show quality against throughput: the announcement's figure, and our own."""
    rates = gather.throughput(found.benchmarks)
    drawn = []
    if points := gather.published_points(rates):
        drawn.append(
            Chart(
                name="published-quality-against-throughput",
                title="Published RAG hit rate against throughput measured here",
                note="Diamonds: quality is Jina AI's published number, speed is that of random "
                "weights in the model's exact shape through our engine on this machine.",
                draw=partial(
                    charts.scatter,
                    points=points,
                    x_label="documents per second, measured here",
                    y_label="hit rate, published",
                    digits=3,
                ),
            )
        )
    for number, result in enumerate(found.evaluations, 1):
        if points := gather.measured_points(result, rates):
            drawn.append(
                Chart(
                    name=f"quality-against-throughput-{number}",
                    title=f"{result['metrics'][0]} against throughput, both measured here",
                    note="",
                    draw=partial(
                        charts.scatter,
                        points=points,
                        x_label="documents per second, measured here",
                        y_label=f"{result['metrics'][0]}, hundredths",
                        digits=1,
                    ),
                )
            )
    parts = [to_html(chart) for chart in drawn]
    if missing := [row for row in published.TABLE if row.shape not in rates]:
        how = f"{BENCHMARK} --model {' '.join(row.shape for row in missing)}"
        names = ", ".join(row.model for row in missing)
        parts.append(absent(how, what=f"The speed of {names} is not in these results."))
    return parts, drawn


def speeds(found: Results) -> tuple[list[Html], list[Chart]]:
    """Show contenders side by side, what they cost, and the announcement's claims."""
    parts: list[Html] = []
    drawn: list[Chart] = []
    for workload, lines in gather.groups(found.benchmarks).items():
        for model in dict.fromkeys(line["model"] for line in lines):
            bars = gather.rate_bars([line for line in lines if line["model"] == model])
            if len(bars) > gather.FEW:
                chart = rate_chart(model, workload, bars)
                drawn.append(chart)
                parts.append(to_html(chart))
        parts.append(speed_table(workload, lines))
    if not found.benchmarks:
        parts.append(absent(f"{PROGRAM} benchmark"))
    parts += [claims(one["claims"]) for one in found.benchmarks if one["claims"]]
    return parts, drawn


def rate_chart(model: str, workload: str, bars: Sequence[Bar]) -> Chart:
    """Draw how fast contenders are on the weights of one model."""
    return Chart(
        name=file_name(f"speed {model} {workload}"),
        title=f"Tokens per second, {model}, {workload}, measured here",
        note="From strings to scores.",
        draw=partial(charts.rates, bars=bars, label="tokens per second"),
    )


def speed_table(workload: str, lines: Sequence[Mapping[str, Any]]) -> Html:
    """Show every contender on one workload; those that did not run say why."""
    priced = any(line.get("cost_per_million_documents") is not None for line in lines)
    header = ["model", "contender", "ms", "p95 ms", "docs/s", "tokens/s", "speed", "peak MB"]
    header += ["loaded MB", "score diff", "batch", *(["cost of 1M docs"] if priced else [])]
    rows: list[list[str]] = []
    for line in lines:
        name, *cells = written.cells(line, priced=priced)
        if "skipped" in line:
            why = element("div", f"did not run: {line['skipped']}", class_="why")
            name = join([name, why])
        rows.append([line["model"], name, *cells])
    compared = dict.fromkeys(line["compared_with"] for line in lines if "compared_with" in line)
    against = f"; speed and score differences against {', '.join(compared)}" if compared else ""
    first = lines[0]
    caption = labelled(
        MEASURED,
        f"{workload}, {first['tokens']:,} tokens, {first['device']}; peak above the loaded "
        f"model{against} of the same model.",
    )
    return table(header, rows, words=(0, 1), caption=caption)


def claims(found: Sequence[Mapping[str, Any]]) -> Html:
    """Show the announcement's claims beside what was measured."""
    names = list(found[0]["measured"])
    rows = [
        [
            one["claim"],
            element("span", one["published"], class_="published"),
            *(one["measured"][name] or NOTHING for name in names),
        ]
        for one in found
    ]
    header = ["claim", "published", *(f"{name}, measured here" for name in names)]
    caption = join([PUBLISHED, " on hardware not stated, beside ", MEASURED])
    return table(header, rows, caption=caption)


def lengths(found: Results) -> tuple[list[Html], list[Chart]]:
    """Show how time and memory grow with the length of one document."""
    drawn = [
        Chart(
            name=file_name(f"length {label} {model}"),
            title=f"{title}, by its tokens, {model}, measured here",
            note="",
            draw=partial(charts.lengths, lines=lines, label=label),
        )
        for key, title, label in (
            ("seconds", "Seconds for one document", "seconds"),
            ("peak_bytes", "Peak memory above the model", "megabytes"),
        )
        for model, lines in gather.length_lines(found.benchmarks, key).items()
    ]
    parts = [to_html(chart) for chart in drawn]
    single = [line for one in found.benchmarks for line in one["results"] if line["documents"] == 1]
    if not single:
        return [absent(f"{BENCHMARK} {LENGTHS}")], drawn
    return [*parts, length_table(single)], drawn


def length_table(lines: Sequence[Mapping[str, Any]]) -> Html:
    """Show every contender on one document of each length."""
    rows = [
        [
            line["model"],
            line["contender"],
            f"{line['longest']:,}",
            *(
                [NOTHING, NOTHING, element("span", line["skipped"], class_="why")]
                if "skipped" in line
                else [
                    written.milliseconds(line["percentiles"]["50"]),
                    written.megabytes(line["peak_bytes"]),
                    "",
                ]
            ),
        ]
        for line in lines
    ]
    header = ["model", "contender", "tokens", "ms", "peak MB", "did not run"]
    return table(header, rows, words=(0, 1, 5), caption=labelled(MEASURED, "One document."))
