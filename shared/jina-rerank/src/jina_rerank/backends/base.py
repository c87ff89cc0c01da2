"""What every backend is: one abstract method, and defaults for the rest."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from ..types import Request, Scores


class Backend(ABC):
    """Scores texts against a query. `Reranker` does everything else.

    A backend is given only checked input: a query that is not blank, at least one text, no blank
    text. It answers in input order and neither sorts nor cuts nor changes what it is given. It is
    called from many threads and many event loops at once. What it raises for a failure is a
    `JinaRerankError`.

    A subclass writes `score`; it overrides the others where it can do better.

    Attributes:
        name: How it is called in messages.
        remote: True if scores come from another process: a NaN is then an `APIResponseError`
            instead of a `CheckpointError`.

    >>> from jina_rerank import Reranker, Scores
    >>> class Shortest(Backend):
    ...     def score(self, query, documents):
    ...         return Scores(values=[1 / len(text) for text in documents])
    >>> Reranker(backend=Shortest()).rank("?", ["long text", "text"])[0].document
    'text'
    """

    name: ClassVar[str] = "custom"
    remote: ClassVar[bool] = False

    @abstractmethod
    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each text against the query.

        Args:
            query: A text that is not blank.
            documents: At least one text, none of them blank.

        Returns:
            One score per text, in the order of the texts.

        Raises:
            JinaRerankError: The model or the service could not answer.
        """

    def score_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests; by default one after the other."""
        return [self.score(query, documents) for query, documents in requests]

    async def ascore(self, query: str, documents: Sequence[str]) -> Scores:
        """Score without blocking the event loop; by default `score` in a thread."""
        import asyncio  # noqa: PLC0415 - most of the time that importing jina_rerank would take

        return await asyncio.to_thread(self.score, query, documents)

    async def ascore_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests without blocking the event loop; by default one by one."""
        return [await self.ascore(query, documents) for query, documents in requests]

    def cut_tokens(self, query: str, documents: Sequence[str]) -> list[int]:
        """Count, for each text, the tokens of it and the query that the model would not read.

        Raises:
            ValueError: The backend cannot tell, as by default.
        """
        del query, documents
        msg = (
            f"backend {self.name!r} cannot tell what of a text is read: ask one that runs the model"
        )
        raise ValueError(msg)

    def identity(self) -> str:
        """Say what scores depend on besides query and text: model, revision, dtype, lengths, ...

        Scores are kept under it by `Reranker(cache=...)`. The default, an empty string, is enough
        for a cache in memory, which belongs to one `Reranker`; a store that others share needs
        more.
        """
        return ""

    def load(self) -> None:
        """Do now what would otherwise happen on first use; by default nothing."""

    def close(self) -> None:
        """Free what is held; twice is fine. By default nothing."""

    async def aclose(self) -> None:
        """Free what is held, from an event loop; by default `close` in a thread."""
        import asyncio  # noqa: PLC0415

        await asyncio.to_thread(self.close)

    def after_fork(self) -> None:
        """Replace, in a forked child, what cannot be shared with the parent; by default nothing."""
