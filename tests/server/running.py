"""The server as a process of its own, as users start it."""

import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..core.program import spawn

READY = 200
TURN = 0.05
"""Seconds between two questions whether it is ready."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers.

    Attributes:
        url: Its address, without a slash at the end.
        process: What answers there.
    """

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[Running]:
    """Run `jina-rerank serve` on a free port until the block ends; keywords are variables."""
    port = free_port()
    with running(
        "serve", "--port", str(port), *arguments, port=port, environment=environment
    ) as server:
        yield server


@contextmanager
def running(
    *arguments: str,
    port: int,
    environment: Mapping[str, str],
    seen: set[int] | None = None,
) -> Iterator[Running]:
    """Run the program until the block ends, and wait until it is ready.

    Args:
        arguments: The program's.
        port: Where it listens.
        environment: Variables besides this process's.
        seen: Gets the statuses of `/ping` until it was 200.
    """
    process = spawn(*arguments, env=os.environ | dict(environment))
    try:
        url = f"http://127.0.0.1:{port}"
        while (status := ping(f"{url}/ping")) != READY:
            if seen is not None and status is not None:
                seen.add(status)
            if process.poll() is not None:
                msg = f"the server ended with {process.returncode}"
                raise RuntimeError(msg)
            with suppress(subprocess.TimeoutExpired):
                process.wait(TURN)
        yield Running(url=url, process=process)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ping(url: str) -> int | None:
    """Return the status of an address; None if nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own
            status: int = reply.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
