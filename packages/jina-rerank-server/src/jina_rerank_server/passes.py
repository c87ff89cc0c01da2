"""A forward pass for several requests: each gets its own scores, or its own failure."""

from collections.abc import Callable, Sequence

from jina_rerank import Ranking, Reranker

from .metrics import Metrics
from .pace import Pace
from .work import Piece


class TooLongError(ValueError):
    """A request with `truncation=False` has a document that the model would read only in part.

    Attributes:
        index: The document.
        tokens: How many tokens of it and the query are too many.
    """

    def __init__(self, index: int, tokens: int) -> None:
        super().__init__(f"documents[{index}] and the query are {tokens} tokens too long together")
        self.index = index
        self.tokens = tokens


class Passes:
    """Scores pieces of several requests together, and counts.

    Args:
        reranker: The engine.
        name: The model's label in the metrics.
        metrics: Where passes are counted.
        clock: Seconds that only grow.

    Attributes:
        pace: What the passes so far say of the next.
    """

    def __init__(
        self, reranker: Reranker, *, name: str, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._reranker = reranker
        self._name = name
        self._metrics = metrics
        self._clock = clock
        self.pace = Pace()

    def score(self, pieces: Sequence[Piece], fail: Callable[[Piece, Exception], None]) -> None:
        """Score a pass; if that fails, its halves, until it is known whose failure it is.

        Args:
            pieces: What to score; those of requests that are over are left out.
            fail: Told of each piece that fails by itself.
        """
        left = [piece for piece in pieces if not piece.work.over]
        if not left:
            return
        started = self._clock()
        try:
            for piece in left:
                self._check_length(piece)
            rankings = self._reranker.rank_many([piece.request for piece in left])
        except Exception as error:  # noqa: BLE001 - raised again where the request is awaited
            if len(left) == 1:
                fail(left[0], error)
                return
            half = len(left) // 2
            self.score(left[:half], fail)
            self.score(left[half:], fail)
            return
        self._learn(left, rankings, self._clock() - started)
        for piece, ranking in zip(left, rankings, strict=True):
            piece.work.add(piece.start, ranking)

    def _check_length(self, piece: Piece) -> None:
        if not piece.work.strict:
            return
        for i, tokens in enumerate(self._reranker.cut_tokens(*piece.request), piece.start):
            if tokens:
                raise TooLongError(i, tokens)

    def _learn(
        self, pieces: Sequence[Piece], rankings: Sequence[Ranking[str]], seconds: float
    ) -> None:
        documents = sum(map(len, pieces))
        tokens = sum(ranking.usage.total_tokens for ranking in rankings)
        self.pace.learn(
            documents=documents,
            characters=sum(piece.size for piece in pieces),
            tokens=tokens,
            seconds=seconds,
        )
        metrics, name = self._metrics, self._name
        metrics.documents.labels(name).inc(documents)
        metrics.tokens.labels(name).inc(tokens)
        metrics.batch_documents.labels(name).observe(documents)
        metrics.batch_requests.labels(name).observe(len({id(piece.work) for piece in pieces}))
        metrics.batch_tokens.labels(name).observe(tokens)
        metrics.batch_seconds.labels(name).observe(seconds)
