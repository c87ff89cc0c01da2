"""From a thread back to an event loop."""

import asyncio
from contextlib import suppress


def wake(future: asyncio.Future[None], error: Exception | None = None) -> None:
    """Wake whoever waits for a future, from any thread; with an error, raise it there."""

    def resolve() -> None:
        if future.done():  # cancelled meanwhile
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    with suppress(RuntimeError):  # the loop is closed, so nobody waits
        future.get_loop().call_soon_threadsafe(resolve)
