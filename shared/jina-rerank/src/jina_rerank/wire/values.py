"""The values that dialects turn into bytes and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import APIResponseError
from ..types import Document, Scores


class InvalidRequestError(ValueError):
    """A request that a server has to refuse: one field of it, and why.

    Attributes:
        field: The name of the field; empty for the body as a whole.
        reason: What is wrong with it, without its value.
        is_empty: It is a list without items, which some services tell from what is wrong otherwise.
    """

    def __init__(self, field: str, reason: str, *, is_empty: bool = False) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason
        self.is_empty = is_empty


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankRequest:
    """A query and documents to score.

    Attributes:
        query: The query.
        documents: Texts, or mappings with ``"text"``.
        model: The model to use; None leaves it to the server.
        top_n: How many results to answer; None is all.
        return_documents: Answer each document, too.
        truncation: Cut what is too long instead of refusing it; None leaves it to the server.
    """

    query: str
    documents: tuple[Document, ...]
    model: str | None = None
    top_n: int | None = None
    return_documents: bool = False
    truncation: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One result: the index of a document in the request, its score, perhaps the document."""

    index: int
    score: float
    document: Document | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankReply:
    """Results in the server's order, and what the server says of itself.

    Attributes:
        results: The results.
        model: The model as the server names it; None if it does not.
        total_tokens: The tokens it counted; 0 if it does not say.
    """

    results: tuple[Result, ...]
    model: str | None = None
    total_tokens: int = 0

    def scores(self, count: int) -> Scores:
        """Put the scores in the order of the documents.

        Args:
            count: How many documents were sent.

        Raises:
            APIResponseError: An index is out of range, there twice, or missing.
        """
        values: dict[int, float] = {}
        for result in self.results:
            if not 0 <= result.index < count:
                msg = f"the reply has a result for index {result.index} of {count} documents"
                raise APIResponseError(msg)
            if result.index in values:
                msg = f"the reply has two results for index {result.index}"
                raise APIResponseError(msg)
            values[result.index] = result.score
        if len(values) < count:
            first = next(i for i in range(count) if i not in values)
            msg = (
                f"the reply has {len(values)} results for {count} documents, none for index {first}"
            )
            raise APIResponseError(msg)
        ordered = [values[i] for i in range(count)]
        return Scores(values=ordered, total_tokens=self.total_tokens, model=self.model)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The HTTP status.
        body: The bytes.
        headers: Header fields, names in lower case.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """What each dialect's module has."""

    @property
    def DOCUMENTS(self) -> int:  # noqa: N802 - a module's constant
        """How many documents one request may have."""

    def build_request(self, request: RerankRequest, /) -> bytes:
        """Write a request."""

    def read_request(self, body: bytes, /) -> RerankRequest:
        """Read a request; raises `InvalidRequestError`."""

    def build_reply(self, reply: RerankReply, /) -> Answer:
        """Write a reply."""

    def read_reply(self, answer: Answer, /) -> RerankReply:
        """Read a reply; raises `APIResponseError`."""


def text_of(document: Document) -> Any:
    """Return the text of a document, as a dialect without mappings sends it."""
    return document if isinstance(document, str) else document["text"]


def merge(parts: Sequence[Scores]) -> Scores:
    """Put the scores of the parts of one request together, in the order of its documents."""
    return Scores(
        values=[value for part in parts for value in part.values],
        total_tokens=sum(part.total_tokens for part in parts),
        model=parts[0].model,
    )
