"""What a user's type checker refuses: each line is wrong, and mypy has to say so.

Checked by mypy, never run. A line that it accepts is an unused ignore, which strict mypy reports.
"""

from collections.abc import Sequence

from jina_rerank import Backend, RankedDocument, Ranking, Reranker, Scores, Usage


def wrong_arguments(reranker: Reranker) -> None:
    Reranker(model=3)  # type: ignore[arg-type]
    Reranker("turbo", "api")  # type: ignore[call-arg] # keyword-only after the model
    Reranker("turbo", top_k=3)  # type: ignore[call-arg]
    Reranker("turbo", timeout="60")  # type: ignore[arg-type]
    Reranker(backend=dict)  # type: ignore[arg-type]
    reranker.rank("q", 7)  # type: ignore[arg-type]
    reranker.rank("q", [None])  # type: ignore[type-var]
    reranker.rank("q", ["text"], 3)  # type: ignore[call-arg] # keyword-only after the documents
    reranker.rank("q", ["text"], top_n="3")  # type: ignore[arg-type]
    reranker.score("q", ["text"], top_n=3)  # type: ignore[call-arg]
    reranker.rank_many(["q"])  # type: ignore[arg-type]


def wrong_use_of_results(ranking: Ranking[str], row: RankedDocument[str]) -> None:
    row.score > 0.5  # type: ignore[operator] # noqa: B015 - None if the ranking failed
    row.score = 1.0  # type: ignore[misc] # frozen
    ranking.results = ()  # type: ignore[misc]
    ranking[0].text  # type: ignore[attr-defined] # noqa: B018
    ranking["0"]  # type: ignore[call-overload]
    int(ranking.usage)  # type: ignore[call-overload]
    Usage(7)  # type: ignore[call-arg] # keyword-only
    wider: RankedDocument[bytes] = row  # type: ignore[assignment, type-var] # noqa: F841


async def forgotten_await(reranker: Reranker) -> None:
    reranker.arank("q", ["text"])[0]  # type: ignore[index]
    async with reranker as same:
        same.ascore("q", ["text"]).sort()  # type: ignore[attr-defined]


class WithoutScore(Backend):
    pass


class WithAnotherSignature(Backend):
    def score(self, query: str) -> Scores:  # type: ignore[override]
        return Scores(values=[float(len(query))])


class WithoutScores(Backend):
    def score(self, query: str, documents: Sequence[str]) -> list[float]:  # type: ignore[override]
        return [0.0 for _ in documents]


WithoutScore()  # type: ignore[abstract]
