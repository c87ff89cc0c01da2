"""What tells a good checkpoint: nDCG@10 of queries that nothing is learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from jina_rerank.jina_bert.batching import batches

from ..bm25 import BM25
from ..collections import Collection
from ..evaluation import metrics
from .inputs import Inputs, batch
from .mining import NONE
from .pairs import Pool
from .recipe import DevPart
from .student import Student

NDCG = "nDCG@10"
"""What is measured, by the name of `metrics`."""

BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query to be tried, with candidates.

    Attributes:
        source: Where it comes from.
        query: The query.
        passages: The candidates by their ids, as BM25 orders them.
        relevant: By its id, how relevant a passage is, whether it is a candidate or not.
    """

    source: str
    query: str
    passages: Mapping[str, str]
    relevant: Mapping[str, int]


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
            passages={str(place): pool.passages[place] for place in places},
            relevant={str(positive): 1},
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
        question = Question(
            source=collection.name,
            query=query,
            passages={hit: collection.corpus[hit].full for hit in hits},
            relevant=chosen.qrels[name],
        )
        found.append(question)
    return found


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
        for pair in inputs.pairs(question.query, [*question.passages.values()], max_tokens)
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
    """Average nDCG@10 by source, and ``"all"``, the mean of the sources.

    Passages of equal scores stay in the order of BM25.
    """
    qrels = {str(i): question.relevant for i, question in enumerate(questions)}
    run = {}
    for i, (question, own) in enumerate(zip(questions, scores, strict=True)):
        scored = sorted(zip(question.passages, own, strict=True), key=lambda one: -one[1])
        run[str(i)] = {name: -float(place) for place, (name, _) in enumerate(scored)}
    values = metrics.measure(metrics.parse([NDCG]), qrels, run)[NDCG]
    found: dict[str, list[float]] = {}
    for i, question in enumerate(questions):
        found.setdefault(question.source, []).append(values[str(i)])
    return with_mean({name: sum(some) / len(some) for name, some in found.items()})


def with_mean(values: Mapping[str, float]) -> dict[str, float]:
    """Add ``"all"``, the mean."""
    return {**values, "all": sum(values.values()) / len(values)}
