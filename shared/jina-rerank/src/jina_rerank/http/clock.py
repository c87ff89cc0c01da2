"""Time and chance, in one place, so that tests need neither."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What waits and what tells the time.

    Attributes:
        monotonic: Seconds, for measuring.
        now: Seconds since the epoch.
        sleep: Waits in a thread.
        asleep: Waits in an event loop.
        random: A number in [0, 1).
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep
    asleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random
