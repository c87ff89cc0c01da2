"""Where scores are written: a stream, or a file that goes on where it was left off."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from . import terminal
from .errors import JinaRerankError
from .lines import InputError
from .tasks import MODEL, MODEL_SETTINGS, Origin, Task

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(file: FileIO) -> None:
        file.seek(1 << 62)  # a byte that is never read: there, a lock keeps everybody out
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0, os.SEEK_END)
else:
    import fcntl

    def _lock(file: FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


STDOUT = "-"
"""The name of standard output."""

CHOICE = "choose another --output, or start over with --restart"
"""What to do with a file that is not to be gone on with."""


class Output:
    """A stream: what is written is gone.

    Args:
        file: The stream.
        name: Its name in messages.
        origin: What makes the scores.

    Attributes:
        lines: How many lines were there before.
        position: How many bytes of the input those are of.
    """

    def __init__(self, file: BinaryIO | FileIO, name: str, origin: Origin) -> None:
        self.name = name
        self.origin = origin
        self.lines = 0
        self.position = 0
        self._file = file

    def resume(self, tasks: Iterator[Task]) -> Iterator[Task]:
        """Pass over the tasks whose scores are there.

        Returns:
            The others.

        Raises:
            InputError: What is there is not of these tasks, or was made otherwise.
        """
        return tasks

    @property
    def is_terminal(self) -> bool:
        """True if somebody watches the lines themselves, where a bar would be in their way."""
        return self._file.isatty()

    def begin(self) -> None:
        """Get ready to write: only now is anything changed that was there."""

    def write(self, task: Task, scores: list[float]) -> None:
        """Write the line of a task.

        Raises:
            BrokenPipeError: The reader of the stream went away.
            JinaRerankError: The disk is full, or refused for another reason.
        """
        rest = memoryview(task.output(scores, self.origin))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            msg = f"{self.name!r} cannot be written: {error.strerror}"
            raise JinaRerankError(msg) from error


class OutputFile(Output):
    """A file that belongs to this process alone, and grows by whole lines.

    Nothing else remembers how far it got: its own lines are compared with those that the tasks
    would give, up to the scores, and with the model that they name.
    """

    _file: FileIO
    _end = 0

    def resume(self, tasks: Iterator[Task]) -> Iterator[Task]:
        """Pass over the tasks whose lines are there; a last line that is torn does not count."""
        size = self._file.tell()
        bar = terminal.progress(f"Checking {self.name}", size, shown=size > 0)
        with Path(self.name).open("rb") as written, bar as show:
            for line in written:
                task = next(tasks, None)
                if task is None:
                    msg = f"{self.name!r} has more lines than the input gives; {CHOICE}"
                    raise InputError(msg)
                if not self._is_whole(line, task):
                    return chain([task], tasks)
                self.lines += 1
                self._end += len(line)
                self.position = task.end
                show(self._end, self.lines)
        return tasks

    def begin(self) -> None:
        """Cut off what does not count."""
        if self._file.tell() != self._end:  # where it was opened, or written last: its end
            self._file.truncate(self._end)

    def write(self, task: Task, scores: list[float]) -> None:
        """Write the line of a task; if that fails, cut off what there is of it."""
        try:
            super().write(task, scores)
        except JinaRerankError as error:
            self.begin()
            msg = f"{error}; its lines are whole: run the same command again to go on after them"
            raise JinaRerankError(msg) from error
        self._end = self._file.tell()

    def _is_whole(self, line: bytes, task: Task) -> bool:
        """Tell a line that ends from one that does not, which a killed process left.

        Raises:
            InputError: It is not the line of the task, or not of this model.
        """
        if not line.endswith(b"\n"):
            ours = task.prefix.startswith(line) or line.startswith(task.prefix)
            if not ours:
                raise self._foreign(task)
            return False
        if not line.startswith(task.prefix):
            raise self._foreign(task)
        if not line.endswith(self.origin.suffix):
            raise self._made_otherwise(line, task)
        scores = line[len(task.prefix) : -len(self.origin.suffix)]
        if not _fit(scores, task):
            raise self._foreign(task)
        return True

    def _foreign(self, task: Task) -> InputError:
        line = f"line {self.lines + 1} of {self.name!r}"
        return InputError(f"{line} is not what line {task.line} of the input gives; {CHOICE}")

    def _made_otherwise(self, line: bytes, task: Task) -> InputError:
        try:
            value = json.loads(line)
            made = Origin(model=value[MODEL], settings=value.get(MODEL_SETTINGS, {}))
            return InputError(
                f"{self.name!r} was made with {made}, not with {self.origin}; {CHOICE}"
            )
        except (ValueError, KeyError, AttributeError):
            return self._foreign(task)


def _fit(scores: bytes, task: Task) -> bool:
    """Check that these are as many numbers as the task has documents."""
    try:
        value = json.loads(scores)
    except ValueError:
        return False
    values = [value] if task.single else value
    return (
        isinstance(values, list)
        and len(values) == len(task.texts)
        and all(isinstance(number, float) for number in values)
    )


@contextmanager
def opened_output(name: str, stdout: BinaryIO, origin: Origin) -> Iterator[Output]:
    """Open the output, and keep everybody else from writing it.

    A file that is new and stays empty because something failed is removed again.

    Args:
        name: The file; ``"-"`` is standard output. It may be a pipe or a device.
        stdout: Standard output.
        origin: What makes the scores.

    Raises:
        InputError: It cannot be written.
        JinaRerankError: Another process is writing it.
    """
    path = Path(name)
    if name == STDOUT:
        yield Output(stdout, "standard output", origin)
        return
    new = not path.exists()
    regular = new or path.is_file()
    try:
        # Whatever stands in the file stays; what is written goes to its end.
        file = path.open("a+b" if regular else "wb", buffering=0)
    except OSError as error:
        msg = f"{name!r} cannot be written: {error.strerror}; check its name and its permissions"
        raise InputError(msg) from error
    with file:
        if not regular:
            yield Output(file, name, origin)
            return
        _own(file, path)
        try:
            yield OutputFile(file, name, origin)
        except BaseException:
            if new and not path.stat().st_size:
                path.unlink()
            raise


def _own(file: FileIO, path: Path) -> None:
    """Lock a file; the kernel unlocks it, however this process ends."""
    name = str(path)
    try:
        _lock(file)
        # Its last owner may have removed it since it was opened.
        lost = not os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, PermissionError, FileNotFoundError):
        lost = True
    except OSError as error:
        msg = (
            f"{name!r} cannot be locked against other processes ({error.strerror}): "
            f"choose an --output on a file system that has locks"
        )
        raise JinaRerankError(msg) from error
    if lost:
        msg = (
            f"{name!r} is being written by another process; wait for it, or choose another --output"
        )
        raise JinaRerankError(msg)
