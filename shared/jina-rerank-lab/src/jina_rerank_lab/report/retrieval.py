"""The section on retrieval for RAG: what was measured, and the announcement's table."""

from functools import partial

from .. import published
from ..rag import summary
from ..terminal import PROGRAM, count
from . import charts, gather
from .drawing import Chart
from .gather import Result, Results
from .markup import Html, command, element, join, table
from .pieces import MEASURED, as_published, illustrated, interval, labelled

RAG = f"{PROGRAM} rag --data rag_dataset.json --embedder announcement --out rag.json --reranker"


def rag(found: Results) -> tuple[list[Html], list[Chart]]:
    """Show what RAG benchmarks measured, and the announcement's."""
    parts, drawn = illustrated(found.rags, rag_tables, rag_chart, how=f"{RAG} nano")
    here = {
        name: f"{row['hit_rate']['value']:.4f} / {row['mrr']['value']:.4f}"
        for result in found.rags
        for name, row in summary.means(result).items()
    }
    parts += as_published(
        {
            "hit rate, published": lambda row: f"{row.hit_rate:.4f}",
            "MRR, published": lambda row: f"{row.mrr:.4f}",
        },
        here,
        measured="hit rate / MRR measured here",
        about=f"LlamaIndex RAG benchmark, mean over {', '.join(published.EMBEDDERS)}. "
        f"{published.SOURCE}. Other questions than ours: not to be compared with the numbers "
        "measured here.",
        how=RAG,
    )
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
