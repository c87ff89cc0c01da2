"""Documents from files: what can be ranked, and what cannot with its line and its reason."""

import codecs
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

STDIN = "-"
"""The name of standard input."""

TEXT_FIELD = "text"
"""Where JSON Lines keep their text unless the user says otherwise."""


class InputError(ValueError):
    """A file cannot be used at all; the message names it and what to do."""


class LineError(ValueError):
    """A line cannot be used; the message is the reason."""


class MissingFieldError(LineError):
    """A JSON line has no text under the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A document and where it stands.

    Attributes:
        text: The document.
        file: The name of its file as it was given.
        line: The number of its first line, from 1.
    """

    text: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A line that is no document, though it should be.

    Attributes:
        file: The name of its file as it was given.
        line: Its number, from 1.
        error: What is wrong with it.
    """

    file: str
    line: int
    error: LineError


Item: TypeAlias = Passage | Failure


def read(
    names: Sequence[str],
    stdin: BinaryIO,
    *,
    paragraphs: bool = False,
    text_field: str | None = None,
) -> tuple[list[Passage], list[Failure]]:
    """Read the documents of several files, one line at a time.

    Files whose names end in ``.jsonl`` or ``.ndjson`` are JSON Lines, the others are text. Blank
    lines are no documents.

    Args:
        names: The files; ``"-"`` is standard input.
        stdin: Standard input. It is text, or JSON Lines if `text_field` is given.
        paragraphs: In text, a document is a paragraph, its lines joined with single spaces,
            instead of a line.
        text_field: Which field of a JSON line is the document; None is ``"text"``.

    Returns:
        The documents and the failures, in the order of the files and of their lines.

    Raises:
        InputError: A file is missing, unreadable or binary, no JSON line of a file has the field,
            or there is nothing in any file.
    """
    _check(names, text_field)
    passages: list[Passage] = []
    failures: list[Failure] = []
    for name in names:
        with _opened(name, stdin) as file:
            for item in _items(file, name, paragraphs=paragraphs, text_field=text_field):
                if isinstance(item, Passage):
                    passages.append(item)
                else:
                    failures.append(item)
    if not passages:
        _check_field(failures)
    if not passages and not failures:
        msg = f"there are no documents in {', '.join(map(_title, names))}: every line is blank"
        raise InputError(msg)
    return passages, failures


def _check(names: Sequence[str], text_field: str | None) -> None:
    if names.count(STDIN) > 1:
        msg = "standard input ('-') can be read only once: name it once"
        raise InputError(msg)
    if text_field == "":
        msg = "--text-field must be the name of a field, such as --text-field text"
        raise InputError(msg)
    if text_field is not None and not any(_is_json(name, text_field) for name in names):
        msg = (
            "--text-field is for JSON Lines, and no file is: rename it to .jsonl, "
            "send it to standard input ('-'), or drop the option"
        )
        raise InputError(msg)


def _check_field(failures: list[Failure]) -> None:
    """Raise if that is what most lines lack: one mistake in the option, not many in the file."""
    missing = [failure for failure in failures if isinstance(failure.error, MissingFieldError)]
    if len(missing) > len(failures) / 2:
        first = missing[0]
        msg = (
            f"{_title(first.file)} has nothing to rank: line {first.line} {first.error}; "
            f"choose a field with --text-field"
        )
        raise InputError(msg)


def _is_json(name: str, text_field: str | None) -> bool:
    if name == STDIN:
        return text_field is not None
    return name.lower().endswith((".jsonl", ".ndjson"))


def _title(name: str) -> str:
    return "standard input" if name == STDIN else repr(name)


@contextmanager
def _opened(name: str, stdin: BinaryIO) -> Iterator[BufferedReader]:
    """Open a file; say what is wrong with it if it cannot be opened or read to its end."""
    if name == STDIN:
        buffered = isinstance(stdin, BufferedReader)
        reader = stdin if buffered else BufferedReader(cast("RawIOBase", stdin))
        yield cast("BufferedReader", reader)
        return
    try:
        with Path(name).open("rb") as file:
            yield file
    except FileNotFoundError as error:
        msg = f"there is no file {name!r}; the query comes first, then the files"
        raise InputError(msg) from error
    except IsADirectoryError as error:
        msg = f"{name!r} is a directory; name the files in it"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{name!r} cannot be read: {error.strerror}; check its name and its permissions"
        raise InputError(msg) from error


def _items(
    file: BufferedReader, name: str, *, paragraphs: bool, text_field: str | None
) -> Iterator[Item]:
    lines = _lines(file, name)
    if _is_json(name, text_field):
        return _objects(lines, text_field if text_field is not None else TEXT_FIELD)
    return _paragraphs(lines) if paragraphs else _texts(lines)


def _lines(file: BufferedReader, name: str) -> Iterator[Item]:
    """Decode each line, blank ones included."""
    # A disk image may have no line end in gigabytes: look before reading a line. As git has it, a
    # file is binary if there is a NUL near its start; further on it is a damaged line.
    if b"\0" in file.peek():
        raise _binary(name)
    for number, raw in enumerate(file, 1):
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        try:
            text = _decode(line.removesuffix(b"\n").removesuffix(b"\r"))
        except LineError as error:
            yield Failure(file=name, line=number, error=error)
        else:
            yield Passage(text=text, file=name, line=number)


def _binary(name: str) -> InputError:
    return InputError(
        f"{_title(name)} is binary, not text; extract its text first, or if it is UTF-16 "
        f"convert it: iconv -f UTF-16 -t UTF-8"
    )


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


def _texts(lines: Iterator[Item]) -> Iterator[Item]:
    """Keep what is not blank."""
    return (item for item in lines if isinstance(item, Failure) or item.text.strip())


def _paragraphs(lines: Iterator[Item]) -> Iterator[Item]:
    """Join what stands between blank lines; a line that failed is left out."""
    words: list[str] = []
    first: Passage | None = None
    for item in lines:
        if isinstance(item, Failure):
            yield item
        elif item.text.strip():
            first = first or item
            words += item.text.split()
        elif first is not None:
            yield replace(first, text=" ".join(words))
            words, first = [], None
    if first is not None:
        yield replace(first, text=" ".join(words))


def _objects(lines: Iterator[Item], field: str) -> Iterator[Item]:
    """Take the text out of each JSON line."""
    for item in _texts(lines):
        if isinstance(item, Failure):
            yield item
            continue
        try:
            yield replace(item, text=_text(item.text, field))
        except LineError as error:
            yield Failure(file=item.file, line=item.line, error=error)


def _text(line: str, field: str) -> str:
    value = _json(line)
    if not isinstance(value, dict):
        msg = f"not a JSON object but {_kind(value)}"
        raise LineError(msg)
    if field not in value:
        fields = ", ".join(map(repr, list(value)[:8])) or "nothing"
        msg = f"has no field {field!r}; it has {fields}"
        raise MissingFieldError(msg)
    text = value[field]
    if not isinstance(text, str):
        msg = f"field {field!r} is not a string but {_kind(text)}"
        raise LineError(msg)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        surrogate = rf"\u{ord(text[error.start]):04x}"
        msg = f"field {field!r} is not valid Unicode: half of a surrogate pair, {surrogate}"
        raise LineError(msg) from error
    return text


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


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")
