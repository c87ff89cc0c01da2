"""Pooled connections: one client for all threads, one for each event loop, all closed in the end."""

import asyncio
import os
import ssl
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import httpx2

from ..errors import MissingDependencyError

T = TypeVar("T")

CLOSED = "the connection was closed while it was in use"

LIBRARIES = ("httpx2", "httpx")
"""Libraries whose clients are understood; the second is an older one of the same interface."""


class Connections(Protocol):
    """Where clients come from.

    Attributes:
        library: The module of the clients, with the errors that they raise.
    """

    library: Any

    def client(self) -> Any:
        """Return the client for threads."""

    async def aclient(self) -> Any:
        """Return the client for the running event loop."""

    def close(self) -> None:
        """Close what is held, that of other event loops as soon as they turn."""

    async def aclose(self) -> None:
        """Close what is held, that of the running event loop at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How connections are made.

    Attributes:
        verify: A bool, the path of a CA file, or an `ssl.SSLContext`.
        trust_env: Use the proxies of the environment.
        keep: Idle connections to keep.
    """

    verify: Any = True
    trust_env: bool = True
    keep: int = 2


@dataclass(frozen=True, slots=True)
class Looped:
    """A client of one event loop, and what closes it when the loop ends."""

    client: httpx2.AsyncClient
    lifetime: AsyncGenerator[None]


@dataclass(slots=True)
class OwnConnections:
    """Clients made on first use.

    That of an event loop is closed with the loop: the loop's own clean-up, which `asyncio.run` does
    before it ends, finishes an async generator that was started in it.
    """

    options: Options = field(default_factory=Options)
    library: Any = httpx2
    _client: httpx2.Client | None = None
    _loops: dict[asyncio.AbstractEventLoop, Looped] = field(default_factory=dict)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)
    _context: ssl.SSLContext | None = None
    _closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self) -> httpx2.Client:
        """Return the client for threads."""
        with self._lock:
            if self._client is None:
                self._client = _built(httpx2.Client, self._arguments)
            return self._client

    async def aclient(self) -> httpx2.AsyncClient:
        """Return the client for the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if (looped := self._loops.get(loop)) is not None:
                return looped.client
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            client = _built(httpx2.AsyncClient, self._arguments)
            looped = self._loops[loop] = Looped(client, self._lifetime(loop, client))
        await anext(looped.lifetime)
        return client

    def close(self) -> None:
        """Close what is held, that of other event loops as soon as they turn."""
        client, loops = self._release()
        if client is not None:
            client.close()
        for loop, looped in loops.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._close_soon, loop, looped)

    async def aclose(self) -> None:
        """Close what is held, that of the running event loop at once."""
        with self._lock:
            looped = self._loops.pop(asyncio.get_running_loop(), None)
        if looped is not None:
            await looped.lifetime.aclose()
        self.close()

    def disown(self) -> None:
        """Leave, in a forked child, everything to the parent.

        Closing would say goodbye over the parent's own connections. The sockets of threads are
        dropped; those of event loops stay, since dropping them would wake the parent's loop.
        """
        self._client = None

    def _release(self) -> tuple[httpx2.Client | None, dict[asyncio.AbstractEventLoop, Looped]]:
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
            loops, self._loops = self._loops, {}
        return client, loops

    def _close_soon(self, loop: asyncio.AbstractEventLoop, looped: Looped) -> None:
        task = loop.create_task(_finish(looped))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _lifetime(
        self, loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient
    ) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._loops.pop(loop, None)
            await client.aclose()

    def _arguments(self) -> dict[str, Any]:
        if self._closed:
            raise RuntimeError(CLOSED)
        if self._context is None:
            self._context = _context(self.options)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=self.options.keep)
        return {
            "verify": self._context,
            "trust_env": self.options.trust_env,
            "limits": limits,
        }


class GivenConnections:
    """A client of the caller's, which stays the caller's to close.

    Args:
        client: A `Client` or `AsyncClient` of httpx2, or of httpx.

    Raises:
        TypeError: It is something else.
    """

    def __init__(self, client: Any) -> None:
        roots = [kind.__module__.partition(".")[0] for kind in type(client).__mro__]
        name = next((name for name in LIBRARIES if name in roots), None)
        self.library: Any = sys.modules.get(name) if name is not None else None
        if self.library is None or not hasattr(client, "stream"):
            kind = type(client).__name__
            msg = f"http_client must be a Client or AsyncClient of httpx2, got {kind}"
            raise TypeError(msg)
        self._given = client
        self.is_async = isinstance(client, self.library.AsyncClient)

    def client(self) -> Any:
        """Return the client; an asynchronous one is a `ValueError`."""
        if self.is_async:
            msg = "http_client is asynchronous: use arank and ascore, or pass a Client"
            raise ValueError(msg)
        return self._given

    async def aclient(self) -> Any:
        """Return the client."""
        return self._given

    def close(self) -> None:
        """Leave the client open."""

    async def aclose(self) -> None:
        """Leave the client open."""


def _built(kind: Callable[..., T], arguments: Callable[[], dict[str, Any]]) -> T:
    """Make a client; what stands in the way is the environment's: certificates, and proxies."""
    try:
        return kind(**arguments())
    except ImportError as error:  # of the library, for a proxy that it needs more for
        msg = "a SOCKS proxy is set (ALL_PROXY), which needs socksio: pip install 'httpx2[socks]'"
        raise MissingDependencyError(msg, name="socksio") from error
    except OSError as error:
        msg = (
            f"the certificates cannot be loaded ({type(error).__name__}); "
            f"check verify, SSL_CERT_FILE and SSL_CERT_DIR"
        )
        raise ValueError(msg) from error


async def _finish(looped: Looped) -> None:
    await looped.lifetime.aclose()


def _context(options: Options) -> ssl.SSLContext:
    """Make the TLS context, which takes long enough to share it.

    Raises:
        ValueError: The CA file cannot be read.
    """
    verify = options.verify
    if isinstance(verify, str | os.PathLike):
        try:
            return ssl.create_default_context(cafile=os.fspath(verify))
        except OSError as error:
            msg = f"verify={os.fspath(verify)!r} is no file of CA certificates in PEM: {error}"
            raise ValueError(msg) from error
    return httpx2.create_ssl_context(verify)
