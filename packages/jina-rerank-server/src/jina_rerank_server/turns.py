"""Requests that wait, and whose turn it is: pieces of several requests make a pass."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True, kw_only=True)
class Work:
    """A request on its way: what is left to score, and what is scored.

    Attributes:
        query: The query.
        documents: The texts.
        strict: Refuse what the model would read only in part.
        arrived: When it came, by the batcher's clock.
        future: The caller waits for it; it belongs to the caller's event loop.
        values: The scores so far, in the order of the documents.
        tokens: The tokens read so far.
        model: The model as the engine names it.
        given: How many documents were given out in pieces.
        missing: How many documents have no score.
        over: True once nothing more is to be done for it: answered, failed, or its caller left.
    """

    query: str
    documents: Sequence[str]
    strict: bool
    arrived: float
    future: asyncio.Future[None]
    values: list[float] = field(init=False)
    tokens: int = 0
    model: str | None = None
    given: int = 0
    missing: int = field(init=False)
    over: bool = False

    def __post_init__(self) -> None:
        """Make room for the scores."""
        self.missing = len(self.documents)
        self.values = [0.0] * self.missing

    @property
    def size(self) -> int:
        """Characters that are left to read, the query's once for each document."""
        rest = self.documents[self.given :]
        return sum(map(len, rest)) + len(self.query) * len(rest)


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

    @property
    def texts(self) -> Sequence[str]:
        """The texts."""
        return self.work.documents[self.start : self.stop]

    @property
    def size(self) -> int:
        """Characters to read, the query's once for each document."""
        return sum(map(len, self.texts)) + len(self.work.query) * (self.stop - self.start)


class Queue:
    """Requests in turn.

    First come, first served, a piece at a time: a request that is longer than a piece goes back to
    the end of the line with its rest, so that those behind it wait for a piece and not for all of
    it. Not thread-safe: the batcher has the lock.

    Attributes:
        documents: How many documents wait.
        size: How many characters wait, the query's once for each document.
    """

    def __init__(self) -> None:
        self._line: deque[Work] = deque()
        self.documents = 0
        self.size = 0

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self._line)

    @property
    def since(self) -> float:
        """When the first in the line came."""
        return self._line[0].arrived

    def put(self, work: Work) -> None:
        """Add a request at the end of the line."""
        self._line.append(work)
        self._count(len(work.documents) - work.given, work.size)

    def discard(self, work: Work) -> None:
        """Take what is left of a request out of the line, if anything is."""
        if work in self._line:
            self._line.remove(work)
            self._count(work.given - len(work.documents), -work.size)

    def clear(self) -> list[Work]:
        """Empty the line, and return who stood in it."""
        left = list(self._line)
        for work in left:
            self.discard(work)
        return left

    def take(self, budget: float, piece: float) -> list[Piece]:
        """Take the pieces of the next pass.

        Args:
            budget: Characters of a pass; a longer document is a pass of its own.
            piece: Characters that one request gets at a time, at least one document.

        Returns:
            Pieces, none of them empty; nothing only if nothing waits.
        """
        pieces: list[Piece] = []
        while self._line:
            work = self._line[0]
            stop = _stop(work, budget, piece, alone=not pieces)
            if stop == work.given:
                break
            taken = Piece(work, work.given, stop)
            self._line.popleft()
            work.given = stop
            pieces.append(taken)
            budget -= taken.size
            self._count(taken.start - taken.stop, -taken.size)
            if stop < len(work.documents):
                self._line.append(work)
        return pieces

    def _count(self, documents: int, size: int) -> None:
        self.documents += documents
        self.size += size


def _stop(work: Work, budget: float, piece: float, *, alone: bool) -> int:
    """Find where the next piece of a request ends: at its start if nothing of it fits."""
    stop = work.given
    size = 0
    for text in work.documents[stop:]:
        size += len(text) + len(work.query)
        first = stop == work.given
        if (size > budget and not (first and alone)) or (size > piece and not first):
            break
        stop += 1
    return stop
