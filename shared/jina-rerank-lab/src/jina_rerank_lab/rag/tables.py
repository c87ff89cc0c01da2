"""The tables of a RAG benchmark, for a terminal and for a page."""

from collections.abc import Mapping
from typing import Any

from ..evaluation.page import where
from ..evaluation.tables import Table, markdown, probability
from . import summary


def means(result: Mapping[str, Any]) -> Table:
    """Make the announcement's table: a row for each reranker, over all embedders and collections."""
    header = ["reranker", "hit rate", "MRR", "95 % interval of MRR", "MRR against none"]
    rows = []
    for reranker, row in summary.means(result).items():
        mrr = row["mrr"]
        interval = f"{mrr['low']:.4f} to {mrr['high']:.4f}"
        cells = [f"{row['hit_rate']['value']:.4f}", f"{mrr['value']:.4f}", interval]
        rows.append([reranker, *cells, _against(mrr.get("against_none"))])
    return header, rows


def pairs(result: Mapping[str, Any]) -> Table:
    """Make the whole table: a row for each embedder and reranker on each collection."""
    header = ["collection", "embedder", "reranker", "hit rate", "MRR"]
    rows = [
        [
            row["collection"],
            row["embedder"],
            row["reranker"],
            f"{row['hit_rate']['value']:.4f}",
            f"{row['mrr']['value']:.4f}",
        ]
        for row in result["rows"]
    ]
    return header, rows


def _against(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return ""
    return f"{difference['value']:+.4f}, p {probability(difference['p'])}"


def text(result: Mapping[str, Any]) -> str:
    """Write the tables for a page, and what they were measured on."""
    asked = ", ".join(
        f"{each['queries']} questions of {each['name']}" for each in result["collections"]
    )
    parts = [
        where(result["made"]),
        f"{asked}; the {result['top_n']} best of {result['top_k']} candidates count:",
        markdown(pairs(result), left=3),
        "Over all collections and embedding models:",
        markdown(means(result)),
    ]
    lines = [f"- {one['kind']} {one['name']}: {one['reason']}" for one in result["unavailable"]]
    if lines:
        parts += ["Not measured, for it could not be had:", "\n".join(lines)]
    return "\n\n".join(parts)
