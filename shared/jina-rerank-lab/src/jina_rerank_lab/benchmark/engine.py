"""Our engine as a contender."""

from collections.abc import Sequence
from pathlib import Path

import jina_rerank.backends.local  # noqa: F401 - what loading takes is then the model's alone
from jina_rerank import Reranker
from jina_rerank.types import Request


class Engine:
    """`Reranker` on a checkpoint, as users run it.

    Args:
        directory: The checkpoint.
        device: Where to.
        batch: Not used: the engine pads nothing and fills batches by tokens.
        dtype: As `Reranker` takes it.
        cache: How many scores to keep; None keeps none.
    """

    def __init__(
        self,
        directory: Path,
        *,
        device: str = "cpu",
        batch: int = 0,  # noqa: ARG002 - as every contender has it
        dtype: str,
        cache: int | None = None,
    ) -> None:
        self.reranker = Reranker(str(directory), dtype=dtype, cache=cache, device=device)
        self.reranker.load()

    def score(self, requests: Sequence[Request]) -> list[float]:
        """Return the scores of one request as `score` does, of several as `rank_many` does."""
        if len(requests) == 1:
            return self.reranker.score(*requests[0])
        rankings = self.reranker.rank_many([(query, list(texts)) for query, texts in requests])
        return [
            item.score if item.score is not None else float("nan")
            for ranking in rankings
            for item in sorted(ranking, key=lambda item: item.index)
        ]

    def close(self) -> None:
        """Free the model."""
        self.reranker.close()
