"""What tells a good checkpoint: nDCG@10 of queries that nothing is learnt from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from jina_rerank.jina_bert.batching import batches

from ..bm25 import BM25
from ..collections import Collection
from .inputs import Inputs, batch
from .mining import NONE
from .pairs import Pool
from .recipe import DevPart
from .student import Student

DEPTH = 10
"""The k of nDCG@k."""

BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query to be tried, with candidates.

    Attributes:
        source: Where it comes from.
        query: The query.
        passages: The candidates, as BM25 orders them.
        gains: How relevant each is.
        ideal: The gains of all relevant passages there are.
    """

    source: str
    query: str
    passages: list[str]
    gains: list[int]
    ideal: list[int]


def of_pool(pool: Pool, rows: Sequence[int], candidates: int) -> list[Question]:
    """Make questions of held-out queries; a positive that BM25 misses comes last."""
    found = []
    index = BM25(pool.passages) if len(rows) else None
    for row in rows:
        positive = pool.positives[row]
        if index is None or positive == NONE:
            continue
        places = [place for place, _ in index.search(pool.queries[row], candidates)]
        if positive not in places:
            places = [*places[: candidates - 1], positive]
        question = Question(
            source=pool.name,
            query=pool.queries[row],
            passages=[pool.passages[place] for place in places],
            gains=[int(place == positive) for place in places],
            ideal=[1],
        )
        found.append(question)
    return found


def of_collection(collection: Collection, part: DevPart) -> list[Question]:
    """Make questions of a test collection, a sample of it if it has more than are wanted."""
    chosen = collection.sample(part.queries)
    names = list(collection.corpus)
    index = BM25([collection.corpus[name].full for name in names])
    found = []
    for name, query in chosen.queries.items():
        hits = [names[place] for place, _ in index.search(query, part.candidates)]
        relevant = chosen.qrels[name]
        question = Question(
            source=collection.name,
            query=query,
            passages=[collection.corpus[hit].full for hit in hits],
            gains=[relevant.get(hit, 0) for hit in hits],
            ideal=list(relevant.values()),
        )
        found.append(question)
    return found


def ndcg(gains: Sequence[int], ideal: Sequence[int]) -> float:
    """Compute nDCG@10 with linear gains, as trec_eval does.

    Args:
        gains: Of the ranked passages, best first.
        ideal: Of all relevant passages, in any order.

    >>> ndcg([0, 1], [1])
    0.6309297535714575
    """
    best = _dcg(sorted(ideal, reverse=True))
    return _dcg(gains) / best if best else 0.0


def measure(
    student: Student, questions: Sequence[Question], inputs: Inputs, max_tokens: int
) -> dict[str, float]:
    """Rerank the candidates of every question.

    Returns:
        nDCG@10 by source, and ``"all"``, the mean of the sources.
    """
    pairs = [
        pair
        for question in questions
        for pair in inputs.pairs(question.query, question.passages, max_tokens)
    ]
    scores = torch.zeros(len(pairs))
    device = student.words.weight.device
    for indices in batches([len(pair.ids) for pair in pairs], BATCH_TOKENS):
        made = batch([pairs[i] for i in indices], device)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            logits = student(made.ids, made.types, made.groups)
        scores[indices] = made.restore(logits.float()).cpu()
    sizes = [len(question.passages) for question in questions]
    return summary(questions, [part.tolist() for part in scores.split(sizes)])


def as_found(questions: Sequence[Question]) -> dict[str, float]:
    """Measure the order of BM25: what a student has to beat, as `measure` returns it."""
    return summary(questions, [[-float(i) for i in range(len(q.passages))] for q in questions])


def summary(questions: Sequence[Question], scores: Sequence[Sequence[float]]) -> dict[str, float]:
    """Average nDCG@10 by source, and ``"all"``, the mean of the sources."""
    found: dict[str, list[float]] = {}
    for question, own in zip(questions, scores, strict=True):
        order = sorted(range(len(own)), key=lambda i: -own[i])
        value = ndcg([question.gains[i] for i in order], question.ideal)
        found.setdefault(question.source, []).append(value)
    return with_mean({name: sum(values) / len(values) for name, values in found.items()})


def with_mean(values: Mapping[str, float]) -> dict[str, float]:
    """Add ``"all"``, the mean."""
    return {**values, "all": sum(values.values()) / len(values)}


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains[:DEPTH]))
