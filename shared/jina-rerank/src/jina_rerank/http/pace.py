"""How fast to go: so many requests and so many tokens in any minute, by the client's own count."""

import math
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .retry import MINUTE


@dataclass(slots=True, eq=False)
class Booking:
    """A request's place in time: when it may go, and the tokens that it is counted with."""

    at: float
    tokens: int


class Pace:
    """Books requests so that no minute has more than its share; pure but for its lock.

    The window slides: a server that counts by the clock's minute sees no more either.

    Args:
        requests: Requests in a minute; None is no limit.
        tokens: Tokens in a minute; None is no limit. A request of more goes alone.

    >>> pace = Pace(requests=2)
    >>> [pace.book(tokens=1, now=0.0).at for _ in range(5)]
    [0.0, 0.0, 60.0, 60.0, 120.0]
    """

    def __init__(self, *, requests: int | None = None, tokens: int | None = None) -> None:
        self._requests = requests
        self._tokens = tokens
        self._booked: deque[Booking] = deque()
        self._lock = threading.Lock()

    def book(self, *, tokens: int, now: float, until: float = math.inf) -> Booking | None:
        """Book a request.

        Args:
            tokens: The tokens that it will probably be counted with.
            now: The present, in seconds.
            until: When it has to go at the latest.

        Returns:
            The booking, its time not before `now`; None, and nothing booked, if that is too late.
        """
        with self._lock:
            while self._booked and self._booked[0].at <= now - MINUTE:
                self._booked.popleft()
            booking = Booking(max([now, *self._earliest(tokens)]), tokens)
            if booking.at >= until:
                return None
            if self._requests is not None or self._tokens is not None:
                self._booked.append(booking)
            return booking

    def settle(self, booking: Booking, tokens: int) -> None:
        """Count what the server counted instead of the guess; 0 keeps the guess."""
        if tokens:
            booking.tokens = tokens

    def _earliest(self, tokens: int) -> Iterator[float]:
        """Yield the times before which this request would be too many, or too much."""
        if not self._booked:
            return
        yield self._booked[-1].at  # bookings are in the order of their times
        if self._requests is not None and len(self._booked) >= self._requests:
            yield self._booked[-self._requests].at + MINUTE
        if self._tokens is not None:
            total = tokens
            for booking in reversed(self._booked):
                total += booking.tokens
                if total > self._tokens:
                    yield booking.at + MINUTE
                    return
