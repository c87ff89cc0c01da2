"""The tries of one request, for whatever sends it: how long each may take, and what comes after."""

import logging
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import APIError, APIStatusError, APITimeoutError
from .clock import Clock
from .pace import Booking, Pace
from .retry import RetryPolicy

E = TypeVar("E", bound=APIError)

logger = logging.getLogger("jina_rerank")

LONG_WAIT = 10.0
"""Seconds of a wait that deserve a warning."""


@dataclass(slots=True)
class Tries:
    """The tries of one request: how much time there is, and what came of each so far.

    Attributes:
        policy: Decides whether there is another.
        clock: Tells the time.
        ends: When the deadline is, by the clock's `monotonic`.
    """

    policy: RetryPolicy
    clock: Clock
    ends: float
    _failed: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            APITimeoutError: There are none.
        """
        left = self.ends - self.clock.monotonic()
        if left <= 0:
            raise self.too_late()
        return left

    def too_late(self) -> APITimeoutError:
        """Return the error for a deadline that has come."""
        return self._listed(APITimeoutError("no answer within the deadline; raise deadline"))

    def pause(self, pace: Pace, tokens: int) -> tuple[Booking, float]:
        """Book the next try; return the booking, and the seconds to wait for it.

        Raises:
            APITimeoutError: The deadline comes first.
        """
        now = self.clock.monotonic()
        booking = pace.book(tokens=tokens, now=now, until=self.ends)
        if booking is None:
            raise self.too_late()
        return booking, booking.at - now

    def after(self, error: APIError) -> float:
        """Return the seconds to wait after a failure; raise it if it is the last."""
        self._failed.append(_short(error))
        left = self.ends - self.clock.monotonic()
        if left <= 0:
            raise self.too_late() from error
        seconds = self.policy.wait(
            error,
            tried=len(self._failed),
            now=self.clock.now(),
            dice=self.clock.random(),
            left=left,
        )
        if seconds is None:
            raise self._listed(error)
        level = logging.WARNING if seconds >= LONG_WAIT else logging.INFO
        logger.log(level, "%s; trying again in %.1f s", self._failed[-1], seconds)
        return seconds

    def _listed(self, error: E) -> E:
        error.attempts = tuple(self._failed)
        return error


def _short(error: APIError) -> str:
    """Name a failure in a few words."""
    if isinstance(error, APIStatusError):
        return f"HTTP {error.status}{f' {error.code}' if error.code is not None else ''}"
    return type(error).__name__
