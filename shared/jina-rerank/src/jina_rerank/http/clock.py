"""Time and chance, in one place, so that tests need neither."""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What waits and what tells the time.

    Attributes:
        monotonic: Seconds, for measuring.
        now: Seconds since the epoch.
        wait: Waits in a thread until an event is set, at most so many seconds.
        asleep: Waits in an event loop.
        random: A number in [0, 1).
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    wait: Callable[[threading.Event, float], object] = threading.Event.wait
    asleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random
