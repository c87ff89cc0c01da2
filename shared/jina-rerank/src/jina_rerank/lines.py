"""Lines of files: their text, the JSON in it, and what is wrong with those that cannot be used."""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

STDIN = "-"
"""The name of standard input."""

GZIP = ".gz"
"""How the name of a compressed file ends."""


class InputError(ValueError):
    """A file cannot be used at all; the message names it and what to do."""


class LineError(ValueError):
    """A line cannot be used; the message is the reason."""


class MissingFieldError(LineError):
    """A JSON line does not have the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A text and where it stands: a line, or a document that was found in one or several.

    Attributes:
        text: The text.
        file: The name of its file as it was given.
        line: The number of its first line, from 1.
    """

    text: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A line that cannot be used, though it should be.

    Attributes:
        file: The name of its file as it was given.
        line: Its number, from 1.
        error: What is wrong with it.
    """

    file: str
    line: int
    error: LineError


Item: TypeAlias = Passage | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file that is being read.

    Attributes:
        name: Its name as it was given.
        content: Its bytes, decompressed.
        disk: The bytes as they are stored; None if they are not, as in a pipe.
    """

    name: str
    content: BufferedReader
    disk: BinaryIO | None

    @property
    def position(self) -> int:
        """How many of the stored bytes have been read, to compare with the size of the file."""
        return self.disk.tell() if self.disk is not None else 0

    def lines(self) -> Iterator[Item]:
        """Decode each line, blank ones included.

        Raises:
            InputError: The file is binary, or damaged.
        """
        # A disk image may have no line end in gigabytes: look before reading a line. As git has
        # it, a file is binary if there is a NUL near its start; further on it is a damaged line.
        if b"\0" in self.content.peek():
            msg = (
                f"{title(self.name)} is binary, not text; extract its text first, or if it is "
                f"UTF-16 convert it: iconv -f UTF-16 -t UTF-8"
            )
            raise InputError(msg)
        for number, raw in enumerate(self.content, 1):
            line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            try:
                text = _decode(line.removesuffix(b"\n").removesuffix(b"\r"))
            except LineError as error:
                yield Failure(file=self.name, line=number, error=error)
            else:
                yield Passage(text=text, file=self.name, line=number)


@contextmanager
def opened(name: str, stdin: BinaryIO, *, hint: str = "check its name") -> Iterator[Reading]:
    """Open a file, through gzip if its name ends in ``.gz``.

    Args:
        name: The file; ``"-"`` is standard input.
        stdin: Standard input.
        hint: What to do if there is no such file.

    Raises:
        InputError: It cannot be opened, or not be read to its end.
    """
    if name == STDIN:
        buffered = isinstance(stdin, BufferedReader)
        reader = stdin if buffered else BufferedReader(cast("RawIOBase", stdin))
        yield Reading(name=name, content=cast("BufferedReader", reader), disk=None)
        return
    try:
        with Path(name).open("rb") as file:
            disk = file if file.seekable() else None
            if name.lower().endswith(GZIP):
                unzipped = cast("RawIOBase", gzip.GzipFile(fileobj=file))
                yield Reading(name=name, content=BufferedReader(unzipped), disk=disk)
            else:
                yield Reading(name=name, content=file, disk=disk)
    except FileNotFoundError as error:
        msg = f"there is no file {name!r}; {hint}"
        raise InputError(msg) from error
    except IsADirectoryError as error:
        msg = f"{name!r} is a directory; name the files in it"
        raise InputError(msg) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        msg = f"{name!r} is no whole gzip file: {error}; fetch or compress it again"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{name!r} cannot be read: {error.strerror}; check its name and its permissions"
        raise InputError(msg) from error


def size(name: str) -> int | None:
    """Return the bytes of a file; None for standard input, a pipe or a device."""
    path = Path(name)
    return path.stat().st_size if name != STDIN and path.is_file() else None


def title(name: str) -> str:
    """Name a file in a message."""
    return "standard input" if name == STDIN else repr(name)


def json_object(line: str) -> dict[str, Any]:
    """Parse a line of JSON Lines.

    Raises:
        LineError: It is broken, or no object.
    """
    value = _json(line)
    if not isinstance(value, dict):
        msg = f"not a JSON object but {kind(value)}"
        raise LineError(msg)
    return value


def text_of(value: dict[str, Any], field: str) -> str:
    """Return the text under a field.

    Raises:
        LineError: There is no such field, or no text under it.
    """
    if field not in value:
        msg = f"has no field {field!r}; it has {names(value)}"
        raise MissingFieldError(msg)
    text = value[field]
    if not isinstance(text, str):
        msg = f"field {field!r} is not a string but {kind(text)}"
        raise LineError(msg)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        surrogate = rf"\u{ord(text[error.start]):04x}"
        msg = f"field {field!r} is not valid Unicode: half of a surrogate pair, {surrogate}"
        raise LineError(msg) from error
    return text


def names(value: dict[str, Any]) -> str:
    """Name the fields of an object, for a message."""
    return ", ".join(map(repr, list(value)[:8])) or "nothing"


def kind(value: object) -> str:
    """Name the type of a JSON value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def _decode(line: bytes) -> str:
    if b"\0" in line:
        msg = f"a NUL byte at column {line.index(0) + 1}, which is not text"
        raise LineError(msg)
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        msg = (
            f"invalid UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}; "
            f"if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8"
        )
        raise LineError(msg) from error


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        msg = f"broken JSON at column {error.colno}: {error.msg.removesuffix(' starting at')}"
        raise LineError(msg) from error
    except RecursionError as error:
        msg = "JSON nested too deeply"
        raise LineError(msg) from error
    except ValueError as error:  # Python's limit on the digits of an integer
        msg = "JSON with a number of too many digits"
        raise LineError(msg) from error
