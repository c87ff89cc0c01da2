"""A request on its way through the passes, and the pieces of it that passes take."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from jina_rerank import Ranking, Scores

from .wake import wake


@dataclass(eq=False, slots=True, kw_only=True)
class Work:
    """A request: what is left to score, and what is scored.

    Attributes:
        query: The query.
        documents: The texts.
        strict: Refuse what the model would read only in part.
        arrived: When it came, by the batcher's clock.
        future: The caller waits for it; it belongs to the caller's event loop.
        given: How many documents were given out in pieces.
        turn: Characters that are left of its turn; None before its first one.
        over: True once nothing more is to be done: answered, failed, or its caller left.
        scores: The answer so far.

    Raises:
        TypeError: The query or a document is no string.
        ValueError: The query is blank, or a text is not valid Unicode.
    """

    query: str
    documents: tuple[str, ...]
    strict: bool
    arrived: float
    future: asyncio.Future[None]
    given: int = 0
    turn: float | None = None
    over: bool = False
    _values: list[float] = field(init=False)
    _missing: int = field(init=False)
    _tokens: int = 0
    _model: str | None = None

    def __post_init__(self) -> None:
        """Check, so that nobody else's pass fails over it, and make room for the scores."""
        _check(self.query, "query")
        if not self.query.strip():
            msg = "query must not be blank"
            raise ValueError(msg)
        for i, text in enumerate(self.documents):
            _check(text, f"documents[{i}]")
        self._missing = len(self.documents)
        self._values = [0.0] * self._missing

    @property
    def rest(self) -> "Piece":
        """Everything that was not given out."""
        return Piece(self, self.given, len(self.documents))

    @property
    def complete(self) -> bool:
        """True if every document has its score."""
        return not self._missing

    @property
    def scores(self) -> Scores:
        """The scores, in the order of the documents.

        Equal texts have equal scores: another pass can round differently, and ties keep their order.
        """
        first: dict[str, float] = {}
        pairs = zip(self.documents, self._values, strict=True)
        values = [first.setdefault(text, value) for text, value in pairs]
        return Scores(values=values, total_tokens=self._tokens, model=self._model)

    def add(self, start: int, ranking: Ranking[str]) -> None:
        """Take the scores of neighbouring documents from `start`; with the last, wake the caller."""
        for item in ranking:
            # Only a reranker with on_error="keep-order" has documents without a score.
            self._values[start + item.index] = item.score  # type: ignore[assignment]
        self._missing -= len(ranking)
        self._tokens += ranking.usage.total_tokens
        self._model = ranking.model
        if self.complete:
            self.finish()

    def finish(self, error: Exception | None = None) -> None:
        """Wake the caller, with the scores or with an error."""
        self.over = True
        wake(self.future, error)


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring documents of one request.

    Attributes:
        work: The request.
        start: The first of the documents.
        stop: Behind the last one.
    """

    work: Work
    start: int
    stop: int

    def __len__(self) -> int:
        """Return the number of documents."""
        return self.stop - self.start

    @property
    def request(self) -> tuple[str, Sequence[str]]:
        """What the engine is asked."""
        return self.work.query, self.work.documents[self.start : self.stop]

    @property
    def size(self) -> int:
        """Characters to read, the query's once for each document."""
        query, texts = self.request
        return sum(map(len, texts)) + len(query) * len(self)


def _check(text: object, name: str) -> None:
    if not isinstance(text, str):
        msg = f"{name} must be a string, got {type(text).__name__}"
        raise TypeError(msg)
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"{name} has a lone surrogate at character {error.start}, which is not text"
        raise ValueError(msg) from None
