"""Make a query and a document fit the context: cut the longer one first, or slide a window."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..settings import Settings, check_context
from .tokenizer import Pair, Template

QUERY_IN_WINDOWS = 512
"""Longest query with windows, special tokens included: the published `rerank`'s default."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How long input is made to fit.

    Attributes:
        template: The special tokens around a pair.
        max_length: Tokens of a whole input.
        query_tokens: Tokens that a query may have without its special tokens; None for no limit of
            its own, when it is cut with the document, longest first.
        overlap: Tokens that neighbouring windows share; None to cut instead of sliding a window.
    """

    template: Template
    max_length: int
    query_tokens: int | None
    overlap: int | None

    @classmethod
    def of(cls, settings: Settings, template: Template, context: int, model: str) -> "Fit":
        """Read the settings for a model with a context of `context` tokens.

        Raises:
            ValueError: `max_length` is above the context, or too short for anything.
        """
        check_context(settings.max_length, context, model)
        longest = settings.max_length if settings.max_length is not None else context
        window = settings.overlength == "window"
        least = template.overhead + (3 if window else 2)
        if longest < least:
            msg = f"max_length must be at least {least}, {template.overhead} of them special tokens"
            raise ValueError(msg)
        query = settings.max_query_length
        if query is None and window:
            query = min(QUERY_IN_WINDOWS, longest // 2)
        own = len(template.specials[0]) + 1
        most = longest // 2 if window else longest - template.overhead
        if query is not None and not own < query <= most:
            msg = (
                f"max_query_length must be from {own + 1} to {most} with max_length {longest} "
                f"and overlength={settings.overlength!r}, got {query}"
            )
            raise ValueError(msg)
        overlap = settings.overlap if window else None
        return cls(template, longest, None if query is None else query - own, overlap)

    def pairs(self, query: list[int], document: list[int]) -> Iterator[Pair]:
        """Yield the model's inputs for one document: several if windows are needed, else one."""
        room = self.max_length - self.template.overhead
        if self.query_tokens is None:
            keep, rest = truncate(len(query), len(document), room)
            yield self.template.fill(query[:keep], document[:rest])
            return
        query = query[: self.query_tokens]
        room -= len(query)
        if self.overlap is None:
            yield self.template.fill(query, document[:room])
            return
        for start, end in windows(len(document), room, self.overlap):
            yield self.template.fill(query, document[start:end])

    def cut(self, query: int, document: int) -> int:
        """Count the tokens of a query and a document of these lengths that the model never reads."""
        room = self.max_length - self.template.overhead
        if self.query_tokens is None:
            return max(0, query + document - room)
        kept = min(query, self.query_tokens)
        read = document if self.overlap is not None else min(document, room - kept)
        return query - kept + document - read


def truncate(query: int, document: int, room: int) -> tuple[int, int]:
    """Decide how many tokens to keep of a query and a document that share `room`: longest first.

    The rule of the `tokenizers` library, which all reference stacks use: the longer side is cut to
    what the shorter one leaves; when both are longer than half, each gets half, the longer one the
    odd token.

    Args:
        query: Tokens of the query.
        document: Tokens of the document.
        room: Tokens that both may have together.

    Returns:
        Tokens to keep of the query and of the document.

    >>> truncate(10, 100, room=60)
    (10, 50)
    >>> truncate(70, 100, room=61)
    (30, 31)
    """
    short, long = sorted((query, document))
    if short + long > room:
        long = max(short, room - short)
        if short + long > room:
            short, long = room // 2, room - room // 2
    return (short, long) if query <= document else (long, short)


def windows(tokens: int, room: int, overlap: int) -> list[tuple[int, int]]:
    """Cover a document with windows; the last one is full too, so it may overlap more.

    The rule of the published `rerank` of jina-reranker-v2: neighbours share `overlap` tokens, at
    most a quarter of a window.

    Args:
        tokens: Tokens of the document.
        room: Tokens of a window.
        overlap: Tokens that neighbours share.

    Returns:
        Start and end of each window.

    >>> windows(100, room=42, overlap=80)
    [(0, 42), (32, 74), (58, 100)]
    """
    if tokens <= room:
        return [(0, tokens)]
    step = room - min(overlap, room // 4)
    starts = [*range(0, tokens - room, step), tokens - room]
    return [(start, start + room) for start in starts]
