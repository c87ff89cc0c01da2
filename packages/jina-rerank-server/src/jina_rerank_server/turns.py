"""Whose turn it is: requests wait in a line, and pieces of several make a pass."""

from collections import OrderedDict

from .work import Piece, Work


class Turns:
    """Requests that wait.

    First come, first served, but nobody for longer than a turn: what is left of a request after its
    turn goes back to the end of the line, so that those behind it do not wait for all of it. A
    request that is cut by the end of a pass, within its turn, is the first of the next. Not
    thread-safe: the batcher holds a lock.

    Attributes:
        documents: How many documents wait.
        size: How many characters wait, a query's once for each document.
    """

    def __init__(self) -> None:
        # A dict, for thousands of callers may leave at once.
        self._line: OrderedDict[Work, None] = OrderedDict()
        self.documents = 0
        self.size = 0

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self._line)

    @property
    def since(self) -> float:
        """When the first in the line came."""
        return next(iter(self._line)).arrived

    def put(self, work: Work) -> None:
        """Add a request at the end of the line."""
        self._line[work] = None
        self._count(work.rest, 1)

    def discard(self, work: Work) -> None:
        """Take the rest of a request out of the line, if it is there."""
        if work in self._line:
            del self._line[work]
            self._count(work.rest, -1)

    def clear(self) -> list[Work]:
        """Empty the line, and return who stood in it."""
        left = list(self._line)
        for work in left:
            self.discard(work)
        return left

    def take(self, budget: float, turn: float) -> list[Piece]:
        """Take the pieces of the next pass.

        Args:
            budget: Characters of a pass; a longer document is a pass of its own.
            turn: Characters that a request gets in its first turn, at least a document; half of
                them in later ones, so that a pass has room for others, too.

        Returns:
            Pieces with at least one document each; none only if nothing waits.
        """
        pieces: list[Piece] = []
        while self._line:
            work = next(iter(self._line))
            left = work.turn if work.turn is not None else turn
            piece = _next(work, min(budget, left))
            if pieces and piece.size > budget:
                break
            pieces.append(piece)
            self._give(piece)
            work.turn = left - piece.size
            if len(work.rest):
                if budget < left:  # the pass ends here, and not the turn
                    break
                work.turn = turn / 2
                self._line.move_to_end(work)
            budget -= piece.size
        return pieces

    def _give(self, piece: Piece) -> None:
        """Count a piece out; a request of which nothing is left leaves the line."""
        work = piece.work
        work.given = piece.stop
        self._count(piece, -1)
        if not len(work.rest):
            del self._line[work]

    def _count(self, piece: Piece, sign: int) -> None:
        self.documents += sign * len(piece)
        self.size += sign * piece.size


def _next(work: Work, size: float) -> Piece:
    """Cut off as many documents as make up `size` characters, at least one."""
    stop = work.given
    for text in work.documents[stop:]:
        size -= len(text) + len(work.query)
        if size < 0 and stop > work.given:
            break
        stop += 1
    return Piece(work, work.given, stop)
