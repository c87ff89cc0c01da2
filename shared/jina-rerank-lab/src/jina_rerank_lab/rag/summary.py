"""What a whole RAG benchmark says: hit rate and MRR of every pair, and their means."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from ..collections import Collection
from ..evaluation import significance
from ..evaluation.significance import Values
from ..evaluation.summary import MEAN, overall
from ..rerankers import NONE

METRICS = ("hit_rate", "mrr")
"""LlamaIndex's names of the announcement's two metrics."""

PerQuery: TypeAlias = Mapping[str, Mapping[str, float]]
"""By question, by metric."""

Measured: TypeAlias = Mapping[tuple[str, str, str], PerQuery]
"""By collection, embedding model and reranker."""


def whole(
    measured: Measured, asked: Sequence[tuple[Collection, int]], setting: Mapping[str, Any]
) -> dict[str, Any]:
    """Put together what a file of results holds.

    Args:
        measured: Every value.
        asked: The collections, as much of them as was asked, and how many questions each has in
            all.
        setting: How it was measured.

    Returns:
        `setting`, the facts of the collections, the models by name, every row, and the values of
        every question.
    """
    _, embedders, rerankers = _names(measured)
    return {
        **setting,
        "confidence": significance.CONFIDENCE,
        "collections": [
            {
                "name": each.name,
                "documents": len(each.corpus),
                "queries": len(each.queries),
                "queries_in_all": in_all,
            }
            for each, in_all in asked
        ],
        "embedders": embedders,
        "rerankers": rerankers,
        "rows": rows(measured),
        "queries": [
            {"collection": place, "embedder": model, "reranker": spec, "values": values}
            for (place, model, spec), values in measured.items()
        ],
    }


def _names(measured: Measured) -> list[list[str]]:
    """Name the collections, the embedding models and the rerankers, in the order of the values."""
    return [list(dict.fromkeys(names)) for names in zip(*measured, strict=True)]


def rows(measured: Measured) -> list[dict[str, Any]]:
    """Summarise every pair on every collection; and the means, in which each counts the same.

    A mean over embedding models is that of each question first, as its values depend on each other.

    Args:
        measured: Every value; the rows come in its order.

    Returns:
        For JSON: each row has a collection, an embedder and a reranker, any of the first two may be
        `MEAN`; and for each metric a value, its interval, and the difference from `none`, if that
        was measured.
    """
    collections, embedders, rerankers = _names(measured)
    places = [(name, [name]) for name in collections]
    models = [(name, [name]) for name in embedders]
    if len(collections) > 1:
        places.append((MEAN, collections))
    if len(embedders) > 1:
        models.append((MEAN, embedders))
    found = []
    for (place, of), (model, by), reranker in product(places, models, rerankers):
        row: dict[str, Any] = {"collection": place, "embedder": model, "reranker": reranker}
        for metric in METRICS:
            own = _strata(measured, of, by, reranker, metric)
            row[metric] = asdict(significance.estimate(own))
            if NONE in rerankers and reranker != NONE:
                bare = _strata(measured, of, by, NONE, metric)
                row[metric]["against_none"] = asdict(significance.compare(own, bare))
        found.append(row)
    return found


def means(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return from a result the row of each reranker over all embedding models and collections."""
    place = overall([each["name"] for each in result["collections"]])
    model = overall(result["embedders"])
    return {
        row["reranker"]: row
        for row in result["rows"]
        if (row["collection"], row["embedder"]) == (place, model)
    }


def _strata(
    measured: Measured,
    collections: Sequence[str],
    embedders: Sequence[str],
    reranker: str,
    metric: str,
) -> list[Values]:
    strata = []
    for collection in collections:
        each = [measured[collection, embedder, reranker] for embedder in embedders]
        strata.append(
            np.array([np.mean([one[query][metric] for one in each]) for query in each[0]])
        )
    return strata
