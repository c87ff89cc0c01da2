"""One request: the texts found in the caller's documents, and the ranking made of their scores."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar, Generic, Self

from .backends.base import Backend
from .errors import APIResponseError, CheckpointError, JinaRerankError
from .settings import check_count, check_threshold
from .types import D, RankedDocument, Ranking, Request, Scores, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What of a ranking is kept: scores of at least `score_threshold`, then the first `top_n`.

    Raises:
        TypeError: A limit is not a number.
        ValueError: `top_n` is below 1, or `score_threshold` is NaN.
    """

    top_n: int | None = None
    score_threshold: float | None = None

    def __post_init__(self) -> None:
        """Check."""
        check_count("top_n", self.top_n)
        check_threshold(self.score_threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[D]):
    """A checked request.

    Attributes:
        query: The query, not blank.
        documents: The caller's own objects.
        texts: The texts of those that are not blank.
        places: The index of each text in `documents`.
    """

    query: str
    documents: list[D]
    texts: list[str]
    places: list[int]

    nothing: ClassVar[Scores] = Scores(values=[])

    @classmethod
    def of(cls, query: str, documents: Iterable[D], where: str = "") -> Self:
        """Check a query and its documents.

        Args:
            query: A text.
            documents: Texts or mappings with ``"text"``; any ordered iterable.
            where: What stands before the name of a bad argument in a message.

        Raises:
            TypeError: One of them is not text.
            ValueError: The query is blank, or a text is not valid Unicode.
        """
        name = f"{where}query"
        check_text(query, name)
        if not query.strip():
            msg = f"{name} must not be blank"
            raise ValueError(msg)
        if not _is_ordered(documents):
            kind = type(documents).__name__
            msg = f"{where}documents must be a list of texts or of mappings, got {kind}"
            raise TypeError(msg)
        kept = list(documents)
        texts = [_text(document, f"{where}documents[{i}]") for i, document in enumerate(kept)]
        places = [i for i, text in enumerate(texts) if text.strip()]
        return cls(query=query, documents=kept, texts=[texts[i] for i in places], places=places)

    @classmethod
    def each(cls, requests: Iterable[tuple[str, Iterable[D]]]) -> list[Self]:
        """Check several requests; raises as `of` does, naming the request."""
        if not _is_ordered(requests):
            msg = f"requests must be (query, documents) pairs, got {type(requests).__name__}"
            raise TypeError(msg)
        jobs = []
        for i, request in enumerate(requests):
            if not isinstance(request, tuple | list) or len(request) != 2:  # noqa: PLR2004 - a pair
                msg = f"requests[{i}] must be a (query, documents) pair"
                raise TypeError(msg)
            jobs.append(cls.of(*request, where=f"requests[{i}]: "))
        return jobs

    @property
    def request(self) -> Request:
        """What the backend is given."""
        return self.query, self.texts

    def checked(self, answer: Scores, backend: Backend) -> Scores:
        """Return the answer as Python floats, or raise: NaN is never a rank."""
        if not isinstance(answer, Scores):
            msg = f"backend {backend.name!r} must return Scores(values=...), got {type(answer).__name__}"
            raise TypeError(msg)
        values = [float(value) for value in answer.values]
        error = APIResponseError if backend.remote else CheckpointError
        if len(values) != len(self.texts):
            msg = f"backend {backend.name!r} gave {len(values)} scores for {len(self.texts)} texts"
            raise (error if backend.remote else JinaRerankError)(msg)
        bad = [self.places[i] for i, value in enumerate(values) if math.isnan(value)]
        if bad:
            msg = f"backend {backend.name!r} scored {len(bad)} documents NaN, first documents[{bad[0]}]"
            hint = "" if backend.remote else "; its weights are damaged, or need dtype='float32'"
            raise error(msg + hint)
        return Scores(values=values, total_tokens=answer.total_tokens, model=answer.model)

    def scores(self, answer: Scores) -> list[float]:
        """Put the scores in the order of the documents; blank documents get 0.0."""
        values = [0.0] * len(self.documents)
        for place, value in zip(self.places, answer.values, strict=True):
            values[place] = value
        return values

    def ranking(self, answer: Scores, cut: Cut, model: str) -> Ranking[D]:
        """Sort, blank documents last even after negative scores, and cut."""
        values = self.scores(answer)
        read = set(self.places)
        order = sorted(range(len(values)), key=lambda i: (i not in read, -values[i]))
        if (least := cut.score_threshold) is not None:
            order = [i for i in order if values[i] >= least]
        results = tuple(
            RankedDocument(index=i, score=values[i], document=self.documents[i])
            for i in order[: cut.top_n]
        )
        usage = Usage(total_tokens=answer.total_tokens)
        return Ranking(results=results, model=answer.model or model, usage=usage)

    def unranked(self, cut: Cut, model: str) -> Ranking[D]:
        """Keep the input order, for a backend that failed: `top_n` applies, the threshold not."""
        results = tuple(
            RankedDocument(index=i, score=None, document=document)
            for i, document in enumerate(self.documents[: cut.top_n])
        )
        return Ranking(results=results, model=model, usage=Usage(), failed=True)


def check_text(value: object, name: str) -> None:
    """Raise unless `value` is a string that can be encoded as UTF-8."""
    if not isinstance(value, str):
        msg = f"{name} must be a string, got {type(value).__name__}"
        raise TypeError(msg)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        msg = (
            f"{name} has a lone surrogate at character {error.start}, which is not text; "
            f"decode its source with errors='replace'"
        )
        raise ValueError(msg) from None


def _is_ordered(value: object) -> bool:
    """Tell a list, or any other iterable in which an index means something, from the rest."""
    unordered = isinstance(value, str | bytes | Mapping | AbstractSet)
    return isinstance(value, Iterable) and not unordered


def _text(document: object, name: str) -> str:
    """Find the text of a document."""
    if isinstance(document, Mapping):
        if "text" not in document:
            msg = f"{name} must have a 'text' field"
            raise ValueError(msg)
        document, name = document["text"], f"{name}['text']"
    check_text(document, name)
    return document  # type: ignore[return-value] # checked in the line above
