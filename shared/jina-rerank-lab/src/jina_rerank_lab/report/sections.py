"""The sections of the page: tables and charts with what has to be known to read them."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from .. import published
from ..benchmark import tables as speed
from ..evaluation.summary import MEAN
from ..evaluation.tables import SIGNIFICANT, hundredths, probability
from ..published import Published
from ..terminal import PROGRAM, count
from . import charts, gather
from .charts import Bar
from .drawing import Chart, to_html
from .gather import Result, Results
from .markup import Html, command, element, join, table

MEASURED = element("span", "measured here", class_="badge measured")
PUBLISHED = element("span", "published by Jina AI", class_="badge published")
NOTHING = "-"
UNMEASURED = "not in these results: why, and what measures it"
OTHERS = "What stands in a row completes the command."

EVALUATE = f"{PROGRAM} evaluate --data scifact nfcorpus fiqa --out results --reranker"
RAG = f"{PROGRAM} rag --data rag_dataset.json --embedder announcement --out rag.json --reranker"
BENCHMARK = f"{PROGRAM} benchmark --contender engine"
LENGTHS = f"--length {' '.join(str(2**power) for power in range(7, 14))}"


def quality(found: Results) -> tuple[list[Html], list[Chart]]:
    """Show what evaluations measured, and BEIR as it was published."""
    parts, drawn = [], []
    for number, result in enumerate(found.evaluations, 1):
        chart = quality_chart(result, number)
        drawn.append(chart)
        parts += [*evaluation(result), to_html(chart)]
    if not found.evaluations:
        parts.append(absent(f"{EVALUATE} nano"))
    here = {
        name: hundredths(row["value"])
        for result in found.evaluations
        for name, row in gather.system_means(result).items()
    }
    header = ["model", "parameters", "nDCG@10, published", "measured here", UNMEASURED]
    rows = [
        [row.model, f"{row.parameters}M", f"{row.beir:.2f}", *beside(row, here)]
        for row in published.TABLE
    ]
    caption = labelled(
        PUBLISHED,
        f"Mean nDCG@10 over BEIR, in hundredths. {published.SOURCE}. Other collections "
        "than ours: not to be compared with the numbers measured here.",
    )
    parts += [element("h3", "As published"), table(header, rows, words=(0, 4), caption=caption)]
    parts.append(absent(f"{EVALUATE} ...", what=OTHERS))
    return parts, drawn


def evaluation(result: Result) -> list[Html]:
    """Show the tables of one evaluation."""
    metric, baseline = result["metrics"][0], result["baselines"][0]
    caption = labelled(
        MEASURED,
        f"{metric} in hundredths, candidates of {result['retriever']}; * differs from "
        f"{baseline}, p < {SIGNIFICANT}.",
    )
    cells = {
        (row["collection"], row["system"]): row for row in result["rows"] if row["metric"] == metric
    }
    rows = []
    for each in result["collections"]:
        asked = f"{each['queries']:,} of {each['queries_in_all']:,}"
        values = [quality_cell(cells[each["name"], name], baseline) for name in result["systems"]]
        rows.append([each["name"], asked, str(each["candidates"]), *values])
    if len(result["collections"]) > 1:
        means = [quality_cell(cells[MEAN, name], baseline) for name in result["systems"]]
        rows.append([element("strong", "mean"), "", "", *(element("strong", one) for one in means)])
    header = ["collection", "queries", "candidates", *result["systems"]]
    return [table(header, rows, caption=caption), *differences(result)]


def differences(result: Result) -> list[Html]:
    """Say in a list how each system differs from the first baseline, over all collections."""
    baseline = result["baselines"][0]
    lines = []
    for name, row in gather.system_means(result).items():
        against = row["against"].get(baseline)
        if against is not None:
            value, low, high = (f"{100 * against[key]:+.1f}" for key in ("value", "low", "high"))
            lines.append(
                element(
                    "li",
                    f"{name} against {baseline}: {value} ({low} to {high}), "
                    f"p {probability(against['p'])}",
                )
            )
    return [element("ul", *lines)] if lines else []


def quality_cell(row: Mapping[str, Any], baseline: str) -> str:
    """Write a number, with a mark if it differs from the baseline's."""
    against = row["against"].get(baseline)
    mark = "*" if against is not None and against["p"] < SIGNIFICANT else ""
    return hundredths(row["value"]) + mark


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


def rag(found: Results) -> tuple[list[Html], list[Chart]]:
    """Show what RAG benchmarks measured, and the announcement's."""
    parts, drawn = [], []
    for number, result in enumerate(found.rags, 1):
        chart = rag_chart(result, number)
        drawn.append(chart)
        parts += [*rag_tables(result), to_html(chart)]
    if not found.rags:
        parts.append(absent(f"{RAG} nano"))
    here = {
        name: f"{row['hit_rate']['value']:.4f} / {row['mrr']['value']:.4f}"
        for result in found.rags
        for name, row in gather.reranker_means(result).items()
    }
    header = ["model", "hit rate, published", "MRR, published"]
    header += ["hit rate / MRR measured here", UNMEASURED]
    rows = [
        [row.model, f"{row.hit_rate:.4f}", f"{row.mrr:.4f}", *beside(row, here)]
        for row in published.TABLE
    ]
    caption = labelled(
        PUBLISHED,
        f"LlamaIndex RAG benchmark, mean over {', '.join(published.EMBEDDERS)}. "
        f"{published.SOURCE}. Other questions than ours: not to be compared with the numbers "
        "measured here.",
    )
    parts += [element("h3", "As published"), table(header, rows, words=(0, 4), caption=caption)]
    parts.append(absent(f"{RAG} ...", what=OTHERS))
    return parts, drawn


def rag_tables(result: Result) -> list[Html]:
    """Show one RAG benchmark."""
    caption = labelled(
        MEASURED,
        f"The {result['top_n']} best of {result['top_k']} candidates count; "
        "LlamaIndex's RetrieverEvaluator.",
    )
    header = ["collection", "embedder", "reranker", "questions", "hit rate", "MRR"]
    asked = {each["name"]: f"{each['queries']:,}" for each in result["collections"]}
    rows = [
        [
            row["collection"],
            row["embedder"],
            row["reranker"],
            asked.get(row["collection"], ""),
            f"{row['hit_rate']['value']:.4f}",
            f"{row['mrr']['value']:.4f}",
        ]
        for row in result["rows"]
    ]
    parts = [table(header, rows, words=(0, 1, 2), caption=caption)]
    if result["unavailable"]:
        lines = [
            element("li", f"{one['kind']} {one['name']}: {one['reason']}")
            for one in result["unavailable"]
        ]
        again = join(
            ["Not measured; where they are, this does: ", command(result["made"]["command"])]
        )
        parts += [element("p", again), element("ul", *lines)]
    return parts


def rag_chart(result: Result, number: int) -> Chart:
    """Draw the rerankers of a RAG benchmark."""
    return Chart(
        name=f"rag-{number}",
        title=f"MRR of the {result['top_n']} best, measured here",
        note=f"Mean over {count(len(result['embedders']), 'embedding model')}; "
        f"{interval(result)} over questions.",
        draw=partial(charts.intervals, bars=gather.rag_bars(result, "mrr"), label="MRR", digits=3),
    )


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


def file_name(text: str) -> str:
    """Turn words into the name of a file.

    >>> file_name("speed ./my-model 1,000 documents")
    'speed-my-model-1000-documents'
    """
    return "-".join(re.findall(r"[\w.-]*\w", text.lower().replace(",", "").replace("./", "")))


def speed_table(workload: str, lines: Sequence[Mapping[str, Any]]) -> Html:
    """Show every contender on one workload; those that did not run say why."""
    priced = any(line.get("cost_per_million_documents") is not None for line in lines)
    header = ["model", "contender", "ms", "p95 ms", "docs/s", "tokens/s", "speed", "peak MB"]
    header += ["loaded MB", "score diff", "batch", *(["cost of 1M docs"] if priced else [])]
    rows: list[list[str]] = []
    for line in lines:
        name, *cells = speed.cells(line, priced=priced)
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
                    speed.milliseconds(line["percentiles"]["50"]),
                    speed.megabytes(line["peak_bytes"]),
                    "",
                ]
            ),
        ]
        for line in lines
    ]
    header = ["model", "contender", "tokens", "ms", "peak MB", "did not run"]
    return table(header, rows, words=(0, 1, 5), caption=labelled(MEASURED, "One document."))


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
