"""What goes in and what comes out: documents, scores, rankings. Plain values, no behaviour."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, overload

Document: TypeAlias = str | Mapping[str, Any]
"""A text, or a mapping that holds it under ``"text"``."""

D = TypeVar("D", bound=Document)
D_co = TypeVar("D_co", bound=Document, covariant=True)

Request: TypeAlias = tuple[str, Sequence[str]]
"""A query and the texts to score against it: what a backend is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call consumed.

    Attributes:
        total_tokens: Locally, the tokens that the model read: the sum over pairs, special tokens
            included, after truncation. Remotely, the server's number, summed over split requests.
    """

    total_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Scores:
    """A backend's answer to one request.

    Attributes:
        values: One score per text, in the order of the texts; higher is more relevant.
        total_tokens: See `Usage.total_tokens`.
        model: The model as the backend names it; None leaves the name to `Reranker`.
    """

    values: Sequence[float]
    total_tokens: int = 0
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedDocument(Generic[D_co]):
    """One document of a ranking.

    Attributes:
        index: Its position in the caller's list, from 0.
        score: Its relevance: locally in [0, 1], remotely the server's number, 0.0 for a blank
            text, None in a ranking that failed (`on_error="keep-order"`).
        document: The caller's own object, unchanged.
    """

    index: int
    score: float | None
    document: D_co


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking(Sequence[RankedDocument[D_co]]):
    """Documents from the most to the least relevant: a sequence of `RankedDocument`.

    Attributes:
        results: The documents, best first; ties keep the input order.
        model: The model that ranked them.
        usage: What the call consumed.
        failed: True if the backend failed and `on_error="keep-order"` kept the input order.

    >>> from jina_rerank import Reranker
    >>> from jina_rerank.testing import FakeBackend
    >>> ranking = Reranker(backend=FakeBackend()).rank("red planet", ["the sea", "a red planet"])
    >>> ranking[0].index, ranking[0].document
    (1, 'a red planet')
    """

    results: tuple[RankedDocument[D_co], ...]
    model: str
    usage: Usage
    failed: bool = False

    @overload
    def __getitem__(self, index: int) -> RankedDocument[D_co]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[RankedDocument[D_co], ...]: ...
    def __getitem__(
        self, index: int | slice
    ) -> RankedDocument[D_co] | tuple[RankedDocument[D_co], ...]:
        """Return the document at a rank, 0 being the best, or a slice of ranks."""
        return self.results[index]

    def __len__(self) -> int:
        """Return the number of documents kept."""
        return len(self.results)

    def __iter__(self) -> Iterator[RankedDocument[D_co]]:
        """Iterate from the best to the worst."""
        return iter(self.results)
