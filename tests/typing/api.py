"""What a user's type checker sees; checked by mypy, never run."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_type

from jina_rerank import Backend, RankedDocument, Ranking, Reranker, Scores


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
    reranker.rank("q", 7)  # type: ignore[arg-type]
    Reranker("turbo", top_k=3)  # type: ignore[call-arg]


async def async_calls(reranker: Reranker, rows: Sequence[Mapping[str, str]]) -> None:
    assert_type(await reranker.arank("q", rows), Ranking[Mapping[str, str]])
    assert_type(await reranker.ascore("q", rows), list[float])
    async with Reranker("nano") as same:
        assert_type(same, Reranker)


class Own(Backend):
    def score(self, query: str, documents: Sequence[str]) -> Scores:
        return Scores(values=[0.0 for _ in documents])


Reranker(backend=Own())
