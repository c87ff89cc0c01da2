"""What every client asks, and what the offline engine answers."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jina_rerank import Reranker

ROOT = Path(__file__).parents[2]
QUERY = "Why does bread dough rise?"
MODEL = "nano"
COUNT = 20
TOP = 5
TOLERANCE = 1e-6
"""Between scores of the same texts in float32, whatever shares their batch."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """An offline ranking: documents' numbers best first, and all scores in input order."""

    order: list[int]
    scores: list[float]


@cache
def documents() -> list[str]:
    """Read the last paragraphs of the example text, on one subject each.

    Few enough for a client that waits for five seconds, on a machine that is busy.
    """
    text = (ROOT / "docs" / "examples" / "field-guide.txt").read_text(encoding="utf-8")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")[-COUNT:]]


@cache
def offline() -> Expected:
    """Rank them in this process."""
    with Reranker(MODEL, dtype="float32") as reranker:
        ranking = reranker.rank(QUERY, documents())
        scores = reranker.score(QUERY, documents())
    return Expected(order=[item.index for item in ranking], scores=scores)
