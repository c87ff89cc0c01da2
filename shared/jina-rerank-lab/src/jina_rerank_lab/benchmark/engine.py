"""Our engine as a contender."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch

from jina_rerank import Reranker

# Imported here, it is not in what loading takes, which is then the model's alone.
from jina_rerank.backends.local import BATCH_TOKENS, BATCH_TOKENS_ELSEWHERE, LocalBackend
from jina_rerank.checkpoint import Scorer
from jina_rerank.jina_bert.batching import batches
from jina_rerank.jina_bert.tokenizer import Pair
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

    def encode(self, requests: Sequence[Request]) -> list[Pair]:
        """Return the token ids of each pair."""
        encode, fit = self.scorer.tokenizer.encode, self.scorer.fit
        return [
            pair
            for query, texts in requests
            for query_ids in encode([query])
            for ids in encode(texts)
            for pair in fit.pairs(query_ids, ids)
        ]

    def forward(self, encoded: Sequence[Pair]) -> list[float]:
        """Return the sigmoid of each pair's logit, in the batches that `Reranker` makes."""
        found = torch.empty(len(encoded))
        lengths = [len(pair.ids) for pair in encoded]
        budget = BATCH_TOKENS.get(self.scorer.device.type, BATCH_TOKENS_ELSEWHERE)
        for places in batches(lengths, budget, padded=self.scorer.padded):
            found[places] = self.scorer.logits([encoded[at] for at in places]).float()
        scores: list[float] = torch.sigmoid(found).tolist()
        return scores

    @property
    def scorer(self) -> Scorer:
        """The loaded model behind `Reranker`."""
        backend = cast("LocalBackend", self.reranker._backend)  # noqa: SLF001 - it has no public name
        return backend._loaded()  # noqa: SLF001

    def close(self) -> None:
        """Free the model."""
        self.reranker.close()
