"""Running the server: a socket at once, the models behind it, and a stop that loses nothing."""

import asyncio
import errno
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from .app import Server, create_app
from .logs import LOGGER
from .protocol import Connection

logger = logging.getLogger(LOGGER)

STOP = 25.0
"""Seconds that requests under way may take once the server is to stop; SageMaker kills after 30."""

LAST_CALL = 0.5
"""Seconds of them in which a connection may still bring the request that is on its way."""

IDLE = 75
"""Seconds that an idle connection is kept: more than the 60 of most load balancers."""

BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: A name or an address.
        port: The port; 0 takes any that is free.

    Raises:
        OSError: It cannot be had; the message names the option to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Not socket.create_server: asyncio sends at once only where the protocol is named, and
    # otherwise an answer's second part waits 40 ms for the acknowledgement of its first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(_refused(host, port, error)) from error
    return listener


def place(host: str, port: int) -> str:
    """Write a host and its port as an address on the web has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refused(host: str, port: int, error: OSError) -> str:
    """Say what the system refused, and which option helps."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        fix = "--host takes a name or an address of this machine"
    else:
        fix = "--port takes another one, 0 any that is free"
    return f"cannot listen on {place(host, port)}: {error.strerror}; {fix}"


def silent() -> None:
    """Greet nobody."""


def run(server: Server, listener: socket.socket, *, greet: Callable[[], None] = silent) -> None:
    """Answer until a signal says to stop.

    Args:
        server: What answers.
        listener: The socket, which is closed in the end.
        greet: Says that the server is there, once a signal can stop it.

    Raises:
        JinaRerankError: A model could not be loaded.
    """
    asyncio.run(_run(server, listener, greet))


async def _run(server: Server, listener: socket.socket, greet: Callable[[], None]) -> None:
    runner = Runner(server, greet)
    loading = asyncio.create_task(_load(server, runner))
    try:
        await runner.serve([listener])
    finally:
        if loading.done():
            await server.served.stop()
        loading.cancel()  # a model that loads cannot be stopped; the process ends without it
    with suppress(asyncio.CancelledError):
        await loading  # raises what went wrong
    logger.info("stopped")


async def _load(server: Server, runner: "Runner") -> None:
    start = time.monotonic()
    try:
        await server.served.start()
    except BaseException:
        runner.should_exit = True
        raise
    gc.freeze()  # models and libraries stay: no collection needs to look at them again
    names = ", ".join(model.batcher.name for model in server.served)
    logger.info("ready: %s, after %.1f s", names, time.monotonic() - start)


class Runner(uvicorn.Server):
    """uvicorn, with a stop that an orchestrator takes for success and clients do not notice."""

    def __init__(self, server: Server, greet: Callable[[], None] = silent) -> None:
        config = uvicorn.Config(
            create_app(server),
            access_log=False,
            http=Connection,
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP - LAST_CALL,  # type: ignore[arg-type] # asyncio's seconds
            timeout_keep_alive=IDLE,
            ws="none",
        )
        super().__init__(config)
        self._server = server
        self._greet = greet

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and Ctrl-C; uvicorn's own would end the process by the signal again.

        Whoever is greeted may send one at once.
        """
        if threading.current_thread() is not threading.main_thread():  # which alone gets signals
            self._greet()
            yield
            return
        kinds = (signal.SIGTERM, signal.SIGINT)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            self._greet()
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, then no more requests, and finish those that came.

        A client cannot know that an idle connection is about to be closed, and may be sending its
        next request. So every answer now says that its connection closes, and connections without a
        request under way have a moment left.
        """
        if self._server.served.ready:  # else nothing can be
            logger.info("stopping: finishing what is under way")
        self._server.stopping = True
        await asyncio.sleep(0)  # whoever waits to be accepted is
        for listening in self.servers:
            listening.close()
        steps = 10
        for _ in range(steps):
            if self.server_state.connections:
                await asyncio.sleep(LAST_CALL / steps)
        await super().shutdown(sockets)
