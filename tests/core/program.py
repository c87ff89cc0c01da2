"""The program `jina-rerank` in tests: run in this process or in its own, on a terminal or not."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

PROGRAM = [sys.executable, "-c", "import sys, jina_rerank.cli as cli; sys.exit(cli.main())"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    code: int
    out: str
    err: str


class Screen(io.StringIO):
    """A standard stream that is a terminal."""

    def isatty(self) -> bool:
        return True


Run = Callable[..., Outcome]


@contextmanager
def terminal(columns: int) -> Iterator[tuple[int, TextIO]]:
    """Open a terminal: what it shows is read from the first, what is written to the second."""
    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with os.fdopen(keyboard, "w") as stream:
            yield screen, stream
    finally:
        os.close(screen)


def seen(screen: int) -> Iterator[str]:
    """Read what a terminal shows until its last writer is gone."""
    with suppress(OSError):
        while some := os.read(screen, 65_536):
            yield some.decode(errors="replace")


def spawn(*arguments: str | bytes, **options: Any) -> "subprocess.Popen[bytes]":
    """Start the program as a process of its own."""
    process: subprocess.Popen[bytes] = subprocess.Popen([*PROGRAM, *arguments], **options)
    return process
