"""Reading a body: no longer, no slower and no more of them at once than the server can bear."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from starlette.types import Receive

from .refusals import BUSY, ENCODED, SLOW, TOO_LARGE, Refusal

AT_ONCE = 8
"""How many of the largest bodies may be in memory."""

LARGE = 256 * 1024
"""Bytes of a body that is parsed alone: it takes a millisecond or more, and memory many times these."""

BREATH = 0.01
"""Seconds for everybody else after a large body was parsed."""

MOST_DIGITS = 18
"""Digits of a length that is a number of bytes and no attempt at something else."""


class Gone(Exception):  # noqa: N818 - the client's right
    """The client left: nobody waits for an answer."""


@dataclass(slots=True, kw_only=True)
class Bodies:
    """All bodies that are being read or answered.

    Attributes:
        largest: Bytes of the largest body.
        patience: Seconds in which a body has to arrive.
        held: Bytes in memory.
    """

    largest: int
    patience: float
    held: int = field(default=0, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    @contextmanager
    def room(self) -> "Iterator[Body]":
        """Make room for a body, for as long as its request is under way."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held -= body.size

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Wait until a body of a size may be parsed: large ones one at a time, with pauses."""
        if size < LARGE:
            yield
            return
        async with self._turn:
            try:
                yield
            finally:
                await asyncio.sleep(BREATH)

    def take(self, size: int) -> None:
        """Count bytes that have come; raises a `Refusal` if there are too many already."""
        if self.held + size > AT_ONCE * self.largest:
            message = "too many large requests at once"
            raise Refusal(BUSY, message, retry_after=1.0)
        self.held += size


class Body:
    """One body."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    async def read(self, receive: Receive, headers: Mapping[str, str]) -> bytes:
        """Read it all.

        Args:
            receive: Where it comes from.
            headers: The request's.

        Raises:
            Refusal: It is too large, too slow or compressed, or there are too many.
            Gone: The client left.
        """
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            message = "send the body as it is, without Content-Encoding"
            raise Refusal(ENCODED, message)
        length = headers.get("content-length", "")
        # A number too long for Python to read is too large as well.
        if length.isdecimal() and (len(length) > MOST_DIGITS or int(length) > self._bodies.largest):
            raise self._too_large()
        try:
            async with asyncio.timeout(self._bodies.patience):
                return await self._read(receive)
        except TimeoutError:
            message = f"the body did not come within {self._bodies.patience:g} s"
            raise Refusal(SLOW, message) from None

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunk = message.get("body", b"")
            if self.size + len(chunk) > self._bodies.largest:
                raise self._too_large()
            self._bodies.take(len(chunk))
            self.size += len(chunk)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_large(self) -> Refusal:
        message = f"the body has more than {self._bodies.largest:,} bytes: send fewer documents"
        return Refusal(TOO_LARGE, message)
