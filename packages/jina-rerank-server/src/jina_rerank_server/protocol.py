"""HTTP/1.1 over a connection whose other side may be slow, silent or gone."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0
"""Seconds for the head of a request, from the connection or its first byte, to be complete."""

LINGER = 10.0
"""Seconds for the rest of a body after its request is answered, such as that of a GET."""

READ = 60.0
"""Seconds for a client to read an answer."""


class Connection(H11Protocol):
    """A connection that waits for nobody for ever.

    uvicorn itself only ends connections that are idle between requests. The body's time is limited
    where it is read.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes; wait for more of a request, or no longer."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_limit()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the client to read the answer, and perhaps for the rest of its body."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(READ, self._abort_unread)
        self._watch()

    def _watch(self) -> None:
        """Limit the time of what is awaited of the client now; more bytes do not prolong it."""
        seconds = self._awaited()
        if seconds is None or self.transport.is_closing():
            self._end_limit()
        elif self._limit is None:
            self._limit = self.loop.call_later(seconds, self.transport.abort)

    def _awaited(self) -> float | None:
        if self.cycle is None:
            return HEAD
        if not self.cycle.response_complete:
            return None
        if self.conn.their_state is h11.SEND_BODY:
            return LINGER
        some, _ = self.conn.trailing_data
        return HEAD if some else None

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _abort_unread(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
