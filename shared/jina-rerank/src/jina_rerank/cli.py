"""The program `jina-rerank`: run a command, and turn every way it can end into an exit code."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from .errors import JinaRerankError

UNAVAILABLE = 3
"""Exit code: the model, the backend or something of the machine is not available."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it: 128 + SIGINT."""

BROKEN_PIPE = 141
"""Exit code if the reader of standard output went away, as shells give it: 128 + SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands after the program's name; None is what this process was given.

    Returns:
        The exit code: 0 fine, 1 some lines of the input were bad, 2 wrong usage, 3 something is
        not available, 130 after Ctrl-C, 141 if the reader of standard output went away.
    """
    with _interruptible():
        return until_unread(partial(_run, arguments))


def until_unread(run: Callable[[], int]) -> int:
    """Run a program, and end it without a word if the reader of standard output goes away.

    Returns:
        Its exit code, or `BROKEN_PIPE`.
    """
    try:
        return run()
    except BrokenPipeError:
        pass
    except SystemExit as error:
        # So typer and rich put it when standard output breaks under them.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
    # Python flushes once more at exit, and would print an error there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def _run(arguments: Sequence[str] | None) -> int:
    try:
        from typer import Abort, TyperException  # noqa: PLC0415 - an extra, and slow to load

        from . import commands, terminal  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"typer", "rich"}:
            raise
        missing = f"jina-rerank: the command line needs {error.name}"
        print(f"{missing}: pip install 'jina-rerank[cli]'", file=sys.stderr)  # noqa: T201
        return UNAVAILABLE
    prepare_streams()
    try:
        code = commands.run(arguments)
        sys.stdout.flush()
    except TyperException as error:
        context = getattr(error, "ctx", None)
        terminal.say_usage(error.format_message(), context and context.command_path)
        return error.exit_code
    except Abort:  # a plugin's question that was not answered
        return 1
    except JinaRerankError as error:
        terminal.say(str(error))
        return UNAVAILABLE
    except BrokenPipeError:
        raise
    except OSError as error:
        terminal.say(f"the system refused: {error}")
        return UNAVAILABLE
    return code


def prepare_streams() -> None:
    """Write UTF-8 to files and pipes; on a terminal, never fail on what it cannot show."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started this process
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for good
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="replace")


@contextmanager
def _interruptible() -> Iterator[None]:
    """End the process at once on Ctrl-C.

    As an exception it could vanish while torch is imported, whose C++ swallows what Python
    raises, and it would wait at exit for the batch that the model is computing. A command that
    wants the exception restores `signal.default_int_handler`.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # such as nohup's
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    if sys.stderr.isatty():
        clear_line, show_cursor = b"\r\x1b[K", b"\x1b[?25h"
        terminal = os.dup(sys.stderr.fileno())
        # A progress bar has a thread, which could draw it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        os.write(terminal, clear_line + show_cursor)
    os._exit(INTERRUPTED)
