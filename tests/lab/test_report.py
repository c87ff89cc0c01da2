"""The report: markup, charts, what they are made of, and the page in a browser's terms."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jina_rerank_lab import published, results
from jina_rerank_lab.rag import summary
from jina_rerank_lab.report import charts, drawing, gather, labels, page, quality, speed, theme
from jina_rerank_lab.report.charts import Bar, Point
from jina_rerank_lab.report.drawing import NARROW, WIDE, Chart
from jina_rerank_lab.report.gather import Results
from jina_rerank_lab.report.markup import Html, element, table
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.text import Annotation

from jina_rerank.errors import JinaRerankError

from .conftest import Run

MADE = {
    "date": "2026-01-02T03:04:05+00:00",
    "command": "jina-rerank-lab evaluate --data <here>",
    "machine": {"cpu": "A  CPU", "cores": 2, "memory": 8 << 30, "gpu": None},
    "versions": {"python": "3.12.0", "torch": "2.13.0"},
}


def number(value: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, **more}


def evaluation(*collections: str, systems: tuple[str, ...] = ("bm25", "nano")) -> dict[str, Any]:
    places = [*collections, "mean"] if len(collections) > 1 else [*collections]
    rows = []
    for place in places:
        for at, system in enumerate(systems):
            difference = number(0.1 * at, p=0.01 if place == places[0] else 0.4)
            against = {"bm25": difference} if at else {}
            row = number(0.5 + at / 10, collection=place, system=system, metric="nDCG@10")
            rows.append(row | {"against": against})
    return {
        "kind": "evaluation",
        "made": MADE,
        "retriever": "bm25",
        "metrics": ["nDCG@10"],
        "baselines": ["bm25"],
        "confidence": 0.95,
        "systems": list(systems),
        "collections": [
            {"name": name, "queries": 9, "queries_in_all": 1300, "candidates": 100}
            for name in collections
        ],
        "rows": rows,
    }


def rag(**changes: Any) -> dict[str, Any]:
    rows = [
        {"collection": "essays", "embedder": name, "reranker": reranker}
        | {"hit_rate": number(0.7), "mrr": number(0.5)}
        for name in ("one", "two", "mean")
        for reranker in ("none", "turbo")
    ]
    return {
        "kind": "rag",
        "made": MADE,
        "top_k": 10,
        "top_n": 5,
        "confidence": 0.95,
        "collections": [{"name": "essays", "queries": 63}],
        "embedders": ["one", "two"],
        "rerankers": ["none", "turbo"],
        "unavailable": [],
        "rows": rows,
    } | changes


def line(model: str, contender: str, *, seconds: float = 2.0, **changes: Any) -> dict[str, Any]:
    return {
        "model": model,
        "contender": contender,
        "device": "cpu",
        "workload": "100 documents",
        "documents": 100,
        "tokens": 16_772,
        "longest": 400,
        "percentiles": {"50": seconds, "95": seconds},
        "documents_per_second": 100 / seconds,
        "tokens_per_second": 16_772 / seconds,
        "peak_bytes": 93_000_000,
        "loaded": {"resident": 174_000_000},
        "batch": None,
        "cost_per_million_documents": None,
        "speedup": 2.0,
        "largest_score_difference": 1e-6,
        "compared_with": "engine float32",
    } | changes


def skipped(model: str, contender: str, reason: str, **changes: Any) -> dict[str, Any]:
    kept = ("model", "contender", "device", "workload", "documents", "tokens", "longest")
    whole = line(model, contender, **changes)
    return {key: whole[key] for key in kept} | {"skipped": reason}


def one_document(contender: str, longest: int, seconds: float) -> dict[str, Any]:
    about = {"documents": 1, "tokens": longest, "longest": longest, "workload": f"{longest} tokens"}
    return line("turbo", contender, seconds=seconds, **about)


def benchmark(*lines: dict[str, Any], claims: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"kind": "benchmark", "made": MADE, "results": [*lines], "claims": claims or []}


SHAPES = benchmark(
    *(
        line(row.shape, "engine auto", seconds=at + 1.0, cost_per_million_documents=0.5)
        for at, row in enumerate(published.TABLE)
    ),
    line("nano", "engine auto"),
    claims=[{"claim": "turbo's speed", "published": "3x", "measured": {"a": "2x", "b": None}}],
)
PEERS = benchmark(
    line("turbo", "engine float32"),
    line("turbo", "onnxruntime float32", seconds=3.0, batch=8),
    line("turbo", "openvino float32", seconds=2.5),
    skipped("turbo", "fastembed style", "pip install onnx"),
)
LENGTHS = benchmark(
    *(one_document("engine auto", 2**power, 2.0**power / 100) for power in (7, 9, 13)),
    *(one_document("reference float32", 2**power, 2.0**power / 10) for power in (7, 9)),
    one_document("onnxruntime int8", 128, 1.0),
    skipped("turbo", "reference float32", "needs 14 GB", documents=1, longest=8192),
)
EVERYTHING = Results(
    evaluations=[evaluation("scifact", "nq", systems=("bm25", "nano", "turbo", "bi:minilm"))],
    rags=[rag(unavailable=[{"kind": "embedder", "name": "cohere", "reason": "no <key>"}])],
    benchmarks=[SHAPES, PEERS, LENGTHS],
)
NOTHING = Results(evaluations=[], rags=[], benchmarks=[])


class Reader(HTMLParser):
    """Collects what a page asks for, its text, and its tags that never end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asked: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        names = ("src", "href", "xlink:href", "srcset", "data")
        self.asked += [value or "" for name, value in attrs if name in names]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_text_is_escaped_and_html_is_not() -> None:
    made = element("p", "a < b", Html("<b>c</b>"), title='"x"')
    assert made == '<p title="&quot;x&quot;">a &lt; b<b>c</b></p>'


def test_table_has_its_caption_outside_of_what_scrolls() -> None:
    made = table(["a", "b"], [["x", "1"]], caption="Said")
    assert made.startswith('<p class="caption">Said</p><div class="scroll"')
    assert '<td class="words">x</td><td class="number">1</td>' in made
    assert "caption" not in table(["a"], [["x"]])


def test_page_of_everything_is_whole_and_asks_for_nothing() -> None:
    written, drawn = page.write(EVERYTHING)
    reader = Reader(written)
    assert reader.open == []
    assert all(address.startswith("#") for address in reader.asked)
    assert "url(http" not in written
    assert "@import" not in written
    assert "no <key>" in reader.text
    assert {chart.name for chart in drawn} == {
        "quality-1",
        "rag-1",
        "published-quality-against-throughput",
        "quality-against-throughput-1",
        "speed-turbo-100-documents",
        "length-seconds-turbo",
        "length-megabytes-turbo",
    }


def test_page_of_nothing_names_the_commands_that_measure_it() -> None:
    written, drawn = page.write(NOTHING)
    text = Reader(written).text
    assert drawn == []
    for command in ("evaluate", "rag", "benchmark"):
        assert f"jina-rerank-lab {command}" in text
    assert "--length 128 256 512 1024 2048 4096 8192" in text


def test_every_published_number_is_on_the_page_under_its_own_title() -> None:
    text = Reader(page.write(NOTHING)[0]).text
    for row in published.TABLE:
        assert f"{row.model} {row.parameters}M {row.beir:.2f}" in text
        assert f"{row.model} {row.hit_rate:.4f} {row.mrr:.4f}" in text
    assert text.count("published by Jina AI") == 3


def test_published_model_that_was_measured_has_its_number_beside() -> None:
    parts, _ = quality.quality(EVERYTHING)
    rows = Reader("".join(parts)).text
    assert "jina-reranker-v1-turbo-en 38M 49.60 70.0" in rows
    assert "jina-reranker-v1-tiny-en 33M 48.54 - its weights are on the Hugging Face hub" in rows
    assert "Jina's API runs it, for who has a key --reranker api:jina-reranker-v1-base-en" in rows


def test_significant_difference_is_marked() -> None:
    parts = "".join(quality.evaluation(evaluation("scifact", "nq")))
    assert Reader(parts).text.count("60.0*") == 1


def test_single_collection_is_its_own_mean() -> None:
    found = evaluation("scifact")
    assert "mean" not in Reader("".join(quality.evaluation(found))).text
    assert quality.quality_chart(found, 1).title == "nDCG@10, scifact, measured here"
    assert [bar.name for bar in gather.quality_bars(found)] == ["nano", "bm25"]


def test_system_alone_differs_from_nothing() -> None:
    assert quality.differences(evaluation("scifact", systems=("bm25",))) == []


def test_mean_of_one_embedding_model_is_its_own() -> None:
    one = rag(embedders=["one"])
    assert summary.means(one)["turbo"]["embedder"] == "one"


def test_published_quality_never_shares_a_chart_with_a_measured_one() -> None:
    rates = gather.throughput([SHAPES])
    assert all(point.published for point in gather.published_points(rates))
    measured = gather.measured_points(EVERYTHING.evaluations[0], rates)
    assert [(point.name, point.published) for point in measured] == [
        ("nano", False),
        ("turbo", False),
    ]


def test_single_point_makes_no_chart() -> None:
    assert gather.measured_points(evaluation("scifact"), {"nano": 50.0}) == []
    _, drawn = speed.trade(
        Results(evaluations=[evaluation("scifact")], rags=[], benchmarks=[SHAPES])
    )
    assert [chart.name for chart in drawn] == ["published-quality-against-throughput"]


def test_shape_without_a_speed_is_named_with_the_command() -> None:
    parts, _ = speed.trade(Results(evaluations=[], rags=[], benchmarks=[PEERS]))
    assert "The speed of jina-reranker-v1-base-en" in Reader("".join(parts)).text


def test_contender_that_did_not_run_says_why_in_its_line() -> None:
    parts, _ = speed.speeds(EVERYTHING)
    assert "fastembed style did not run: pip install onnx" in Reader("".join(parts)).text


def test_contenders_without_anybody_to_compare_with_have_no_note() -> None:
    alone = line("turbo", "engine auto")
    del alone["compared_with"]
    assert "against" not in speed.speed_table("100 documents", [alone])


def test_few_contenders_make_a_table_and_no_chart() -> None:
    two = benchmark(line("turbo", "engine auto"), line("turbo", "engine float32"))
    _, drawn = speed.speeds(Results(evaluations=[], rags=[], benchmarks=[two]))
    assert drawn == []


def test_contender_with_one_length_is_no_line() -> None:
    lines = gather.length_lines([LENGTHS], "seconds")["turbo"]
    assert set(lines) == {"engine auto", "reference float32"}
    assert lines["engine auto"][-1] == (8192, 81.92)
    assert gather.length_lines([PEERS], "seconds") == {}


def test_memory_grows_in_megabytes() -> None:
    lines = gather.length_lines([LENGTHS], "peak_bytes")["turbo"]
    assert lines["engine auto"][0] == (128, 93.0)


BARS = [
    Bar(name=f"system {n}", value=n, low=n - 1.0, high=n + 1.0, ours=n == 2) for n in (1, 2, 30)
]
POINTS = [
    Point(name=f"a model with a long name {n}", x=10.0 + n, y=0.5 + n / 1000, published=n > 2)
    for n in range(6)
]
DRAW: dict[str, Callable[[theme.Theme, float], Figure]] = {
    "intervals": lambda colours, width: charts.intervals(
        colours, width, bars=BARS, label="metric", digits=1
    ),
    "rates": lambda colours, width: charts.rates(colours, width, bars=BARS, label="per second"),
    "scatter": lambda colours, width: charts.scatter(
        colours, width, points=POINTS, x_label="speed", y_label="quality", digits=2
    ),
    "lengths": lambda colours, width: charts.lengths(
        colours, width, lines={"engine": [(128, 0.1), (8192, 3.0)]}, label="seconds"
    ),
}


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", DRAW)
def test_chart_in_a_page_takes_its_colours_from_it(name: str, width: float) -> None:
    svg = drawing.to_svg(Chart(name=name, title="T", note="", draw=DRAW[name]), width)
    assert svg.startswith("<svg")
    assert "var(--ink)" in svg
    kept = set(re.findall(r"#[0-9a-f]{6}\b", svg))
    assert not kept & set(vars_of(theme.NAMED))


def vars_of(colours: theme.Theme) -> list[str]:
    return [getattr(colours, name) for name in theme.Theme.__slots__]


def test_same_chart_is_drawn_alike_each_time() -> None:
    chart = Chart(name="x", title="T", note="", draw=DRAW["rates"])
    assert drawing.to_svg(chart, WIDE) == drawing.to_svg(chart, WIDE)


def test_names_of_near_points_do_not_cover_each_other() -> None:
    with drawing.style(theme.LIGHT):
        figure = DRAW["scatter"](theme.LIGHT, WIDE)
        (axes,) = figure.axes
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts if isinstance(text, Annotation)]
    assert len(boxes) == len(POINTS)
    pairs = [(a, b) for at, a in enumerate(boxes) for b in boxes[:at]]
    assert not any(a.overlaps(b) for a, b in pairs)


def test_axes_inside_another_figure_are_refused() -> None:
    inner = Figure().add_subfigure(GridSpec(1, 1)[0])
    with pytest.raises(TypeError, match="names need axes of a figure"):
        labels.place(inner.add_subplot(), [(0, 0, "x")], theme.LIGHT)


def test_dark_and_light_have_the_same_names() -> None:
    light, dark = (theme.variables(one) for one in (theme.LIGHT, theme.DARK))
    assert re.findall("--[a-z]+", light) == re.findall("--[a-z]+", dark)
    assert light != dark


def test_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    chart = Chart(name="x", title="T", note="", draw=DRAW["rates"])
    with pytest.raises(JinaRerankError, match="cannot be written"):
        drawing.to_png(chart, tmp_path / "none" / "x.png")


def test_gpu_is_named_where_there_was_one() -> None:
    made = MADE | {"machine": {**MADE["machine"], "gpu": "A GPU"}}  # type: ignore[dict-item]
    text = Reader(page.origin(evaluation("scifact") | {"made": made})).text
    assert "A CPU, 2 cores, 8 GiB, A GPU. python 3.12.0" in text


def test_command_writes_a_page_and_its_pictures(run: Run, tmp_path: Path) -> None:
    for name, value in (("e", EVERYTHING.evaluations[0]), ("r", rag()), ("b", SHAPES)):
        results.write(tmp_path / f"{name}.json", value["kind"], value)
    outcome = run("report", "e.json", "r.json", "b.json", "--out", "here")
    assert outcome.code == 0
    made = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert made == [
        "published-quality-against-throughput.png",
        "quality-1.png",
        "quality-against-throughput-1.png",
        "rag-1.png",
        "report.html",
    ]
    assert (tmp_path / "here" / "quality-1.png").read_bytes().startswith(b"\x89PNG")


def test_file_that_holds_no_results_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    outcome = run("report", "x.json")
    assert outcome.code == 1
    assert "x.json" in outcome.err


def test_results_of_a_kind_that_is_not_shown_are_refused(run: Run, tmp_path: Path) -> None:
    results.write(tmp_path / "d.json", "distillation", {"made": MADE})
    outcome = run("report", "d.json")
    assert outcome.code == 1
    assert "is of kind 'distillation'; a report shows evaluation, rag, benchmark" in outcome.err
