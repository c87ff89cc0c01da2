"""When to try again and after how long: pure, so that the time and the dice are the caller's."""

import math
from dataclasses import dataclass

from ..errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    ConflictError,
    RateLimitError,
    ServerError,
)

MINUTE = 60.0

PER_MINUTE = frozenset(
    {"RATE_REQUEST_LIMIT_EXCEEDED", "RATE_TOKEN_LIMIT_EXCEEDED", "RATE_IP_LIMIT_EXCEEDED"}
)
"""Jina's codes for what is counted by the minute, and free again in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Decides after each failure.

    Attributes:
        attempts: How often a request is tried.
        first: Seconds of the first wait; each further one is twice as long.
        longest: Seconds of the longest wait that this policy chooses.
        patience: Seconds that a server may ask to wait; what asks for more is not tried again.

    >>> policy = RetryPolicy()
    >>> policy.wait(APIConnectionError("refused"), tried=1)
    0.5
    >>> policy.wait(APIConnectionError("refused"), tried=3) is None
    True
    """

    attempts: int = 3
    first: float = 0.5
    longest: float = 8.0
    patience: float = 60.0

    def wait(
        self,
        error: APIError,
        *,
        tried: int,
        now: float = 0.0,
        dice: float = 0.0,
        left: float = math.inf,
    ) -> float | None:
        """Return the seconds to wait before the next try.

        Args:
            error: Why the last try failed.
            tried: How many tries there were.
            now: Seconds since the epoch, for what is counted by the minute.
            dice: A random number in [0, 1), so that many clients do not come back at once.
            left: Seconds until the deadline.

        Returns:
            The seconds, or None to give up: the error is final, the tries are used up, the server
            asks for more patience, or the deadline comes first.
        """
        if tried >= self.attempts or not is_retryable(error):
            return None
        asked = error.retry_after if isinstance(error, APIStatusError) else None
        if asked:  # 0 leaves it to the client
            seconds = asked
            if seconds > self.patience:
                return None
        elif isinstance(error, APIStatusError) and error.code in PER_MINUTE:
            # Up to a second into the next minute: its clock is not ours.
            seconds = MINUTE - now % MINUTE + dice
        else:
            seconds = min(self.first * 2.0 ** min(tried - 1, 64), self.longest) * (1 - dice / 4)
        return seconds if seconds < left else None


def is_retryable(error: APIError) -> bool:
    """Tell an error that may pass from one that stays.

    A `ServerError` of status 424 stays: the model behind a gateway refused, and will again.
    """
    if isinstance(error, ServerError):
        return error.status != 424  # noqa: PLR2004 - HTTP's own number, as below
    if isinstance(error, APIConnectionError | ConflictError | RateLimitError):
        return True
    return isinstance(error, APIStatusError) and error.status == 408  # noqa: PLR2004
