"""What a user's type checker sees; checked by mypy, never run."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_type

from jina_rerank import (
    MODELS,
    APIStatusError,
    Backend,
    Document,
    JinaRerankError,
    MissingDependencyError,
    ModelInfo,
    RankedDocument,
    Ranking,
    RateLimitError,
    Reranker,
    Scores,
)
from jina_rerank.testing import FakeBackend


def sync_calls(reranker: Reranker, texts: list[str], rows: tuple[dict[str, Any], ...]) -> None:
    assert_type(reranker.rank("q", texts), Ranking[str])
    assert_type(reranker.rank("q", texts)[0], RankedDocument[str])
    assert_type(reranker.rank("q", texts)[0].document, str)
    assert_type(reranker.rank("q", texts)[0].score, float | None)
    assert_type(reranker.rank("q", rows)[0].document, dict[str, Any])
    assert_type(reranker.rank("q", texts).usage.total_tokens, int)
    assert_type(reranker.score("q", rows), list[float])
    assert_type(reranker.rank_many([("q", texts)]), list[Ranking[str]])
    assert_type(reranker.score_many([("q", texts)]), list[list[float]])
    assert_type(reranker.load(), Reranker)
    assert_type(list(reranker.rank("q", texts)), list[RankedDocument[str]])
    assert_type(reranker.rank("q", texts)[:2], tuple[RankedDocument[str], ...])
    wider: Ranking[Document] = reranker.rank("q", texts)  # covariant
    assert_type(wider[0].document, str | Mapping[str, Any])


async def async_calls(reranker: Reranker, rows: Sequence[Mapping[str, str]]) -> None:
    assert_type(await reranker.arank("q", rows), Ranking[Mapping[str, str]])
    assert_type(await reranker.ascore("q", rows), list[float])
    async with Reranker("nano") as same:
        assert_type(same, Reranker)


class Own(Backend):
    def score(self, query: str, documents: Sequence[str]) -> Scores:
        return Scores(values=[0.0 for _ in documents])


Reranker(backend=Own())
assert_type(MODELS, tuple[ModelInfo, ...])
assert_type(FakeBackend(lambda query, text: float(query in text)).requests[0][0], str)


def errors(error: Exception) -> None:
    if isinstance(error, RateLimitError):
        assert_type(error.retry_after, float | None)
        assert_type(error.status, int)
    base: type[JinaRerankError] = APIStatusError
    missing: type[ImportError] = MissingDependencyError
    assert_type((base, missing), tuple[type[JinaRerankError], type[ImportError]])
