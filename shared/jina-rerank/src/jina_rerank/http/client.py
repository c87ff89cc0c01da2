"""The loops: send a request until there is an answer, a final error, or no time left."""

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from ..errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APITimeoutError,
)
from ..wire.quote import quotable
from ..wire.values import Answer
from .clock import Clock
from .connections import CLOSED, Connections
from .pace import Pace
from .retry import RetryPolicy
from .slots import Slots
from .tries import Tries
from .waits import Waits, within

LONGEST_REPLY = 1 << 26
"""Bytes of a reply that are too many: no ranking is that long."""


class Counted(Protocol):
    """What an answer is read into: `Scores`, or what else a service gives."""

    @property
    def total_tokens(self) -> int:
        """How many tokens the service counted; 0 if it did not say."""


C = TypeVar("C", bound=Counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request.

    Attributes:
        url: Where it goes.
        headers: Header fields.
        body: The bytes.
        tokens: How many tokens it will probably be counted with.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tokens: int = 0


class Client:
    """Sends requests, from threads and from event loops.

    Args:
        connections: Where clients come from.
        policy: When to try again.
        slots: How many requests may be under way.
        pace: How many a minute.
        timeout: Seconds to wait for a connection, and for each read; None leaves it to a client
            that was given.
        clock: Time and chance.
    """

    def __init__(  # noqa: PLR0913 - its parts, each by its name
        self,
        *,
        connections: Connections,
        policy: RetryPolicy,
        slots: Slots,
        pace: Pace,
        timeout: tuple[float, float] | None,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._policy = policy
        self._slots = slots
        self._pace = pace
        self._timeout = timeout
        self._clock = clock
        self._waits = Waits(clock)
        self._closed = False

    def call(self) -> AbstractContextManager[threading.Event]:
        """Begin a call from a thread; its event is set when it is left, or the client closed."""
        return self._waits.call()

    def send(
        self,
        request: Outgoing,
        read: Callable[[Answer], C],
        ends: float,
        over: threading.Event,
    ) -> C:
        """Send a request, in a thread.

        Args:
            request: What to send.
            read: Turns an answer of any status into what is returned, or raises.
            ends: When the deadline is, by the clock's `monotonic`.
            over: The event of the call that it is for; once set, there is no other try.

        Raises:
            APIError: The last failure, with all of them in its `attempts`.
            RuntimeError: The client is closed, or was in the meantime.
        """
        tries = Tries(self._policy, self._clock, ends)
        try:
            with self._slots.take(_finite(tries.left)):
                while True:
                    booking, seconds = tries.pause(self._pace, request.tokens)
                    self._sleep(seconds, over)
                    try:
                        post = partial(self._post, request, tries)
                        answer = read(within(_finite(tries.left), post))
                    except APIError as error:
                        self._check_open(error)
                        self._sleep(tries.after(error), over)
                    else:
                        self._pace.settle(booking, answer.total_tokens)
                        return answer
        except TimeoutError as error:
            raise tries.too_late() from error

    async def asend(self, request: Outgoing, read: Callable[[Answer], C], ends: float) -> C:
        """Send a request, in an event loop; as `send`."""
        tries = Tries(self._policy, self._clock, ends)
        try:
            async with self._slots.atake(_finite(tries.left)):
                while True:
                    booking, seconds = tries.pause(self._pace, request.tokens)
                    await self._waits.asleep(seconds)
                    try:
                        answer = read(await self._apost(request, tries))
                    except APIError as error:
                        self._check_open(error)
                        await self._waits.asleep(tries.after(error))
                    else:
                        self._pace.settle(booking, answer.total_tokens)
                        return answer
        except TimeoutError as error:
            raise tries.too_late() from error

    def close(self) -> None:
        """Close the connections; requests that are under way end with a `RuntimeError`."""
        self._closed = True
        self._waits.end()
        self._connections.close()

    async def aclose(self) -> None:
        """Do what `close` does, from an event loop."""
        self._closed = True
        self._waits.end()
        await self._connections.aclose()

    def _sleep(self, seconds: float, over: threading.Event) -> None:
        self._waits.sleep(seconds, over)
        if over.is_set():
            raise RuntimeError(CLOSED)

    def _post(self, request: Outgoing, tries: Tries) -> Answer:
        body = bytearray()
        with self._translated():
            client = self._connections.client()
            with client.stream("POST", request.url, **self._arguments(request, tries)) as response:
                for chunk in response.iter_bytes():
                    _grow(body, chunk, tries)
                return _answer(response, body)

    async def _apost(self, request: Outgoing, tries: Tries) -> Answer:
        body = bytearray()
        with self._translated():
            client = await self._connections.aclient()
            arguments = self._arguments(request, tries)
            async with (
                asyncio.timeout(_finite(tries.left)),
                client.stream("POST", request.url, **arguments) as response,
            ):
                async for chunk in response.aiter_bytes():
                    _grow(body, chunk, tries)
                return _answer(response, body)

    def _arguments(self, request: Outgoing, tries: Tries) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "headers": dict(request.headers),
            "content": request.body,
            "follow_redirects": False,
        }
        left = tries.left
        if self._timeout is not None or left < math.inf:
            connect, read = self._timeout if self._timeout is not None else (left, left)
            arguments["timeout"] = self._connections.library.Timeout(
                min(read, left), connect=min(connect, left), pool=None
            )
        return arguments

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the library's errors into ours, with none of its words but for connecting."""
        self._check_open()
        library = self._connections.library
        try:
            yield
        except TimeoutError:  # the deadline's, which is an OSError as well
            raise
        except library.TimeoutException as error:
            what = "no connection" if isinstance(error, library.ConnectTimeout) else "no answer"
            msg = f"{what} within the timeout; raise timeout"
            raise APITimeoutError(msg) from error
        except library.DecodingError as error:
            msg = "the reply is not what its Content-Encoding says: check what stands in between"
            raise APIResponseError(msg) from error
        except (library.TransportError, OSError) as error:
            raise APIConnectionError(_reason(error, library)) from error
        except RuntimeError as error:  # a client that was closed
            self._check_open(error)
            raise

    def _check_open(self, cause: Exception | None = None) -> None:
        if self._closed:
            raise RuntimeError(CLOSED) from cause


def _finite(seconds: float) -> float | None:
    return seconds if seconds < math.inf else None


def _grow(body: bytearray, chunk: bytes, tries: Tries) -> None:
    body += chunk
    if len(body) > LONGEST_REPLY:
        msg = f"the reply is longer than {LONGEST_REPLY} bytes: check base_url"
        raise APIResponseError(msg)
    _ = tries.left  # a reply that trickles in ends with the deadline, too


def _answer(response: Any, body: bytearray) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, bytes(body), headers)


def _reason(error: Exception, library: Any) -> str:
    said = quotable(str(error))
    if isinstance(error, library.ProxyError):
        return f"the proxy refused the connection: {said}; check HTTPS_PROXY and NO_PROXY"
    if isinstance(error, library.ConnectError):
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return f"no connection: {said}; if your network has a CA of its own, give its file as verify"
        return f"no connection: {said}; check base_url and the network"
    return f"the connection was lost before the whole reply came ({type(error).__name__})"
