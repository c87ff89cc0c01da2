"""Documents from files: what can be ranked, and what cannot with its line and its reason."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from .lines import (
    GZIP,
    STDIN,
    Failure,
    InputError,
    Item,
    LineError,
    MissingFieldError,
    Passage,
    Reading,
    json_object,
    opened,
    text_of,
    title,
)

TEXT_FIELD = "text"
"""Where JSON Lines keep their text unless the user says otherwise."""


def read(
    names: Sequence[str],
    stdin: BinaryIO,
    *,
    paragraphs: bool = False,
    text_field: str | None = None,
) -> tuple[list[Passage], list[Failure]]:
    """Read the documents of several files, one line at a time.

    Files whose names end in ``.jsonl`` or ``.ndjson`` are JSON Lines, the others are text; a
    further ``.gz`` is read through gzip. Blank lines are no documents.

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
        with opened(name, stdin, hint="the query comes first, then the files") as reading:
            for item in _items(reading, paragraphs=paragraphs, text_field=text_field):
                if isinstance(item, Passage):
                    passages.append(item)
                else:
                    failures.append(item)
    if not passages:
        _check_field(failures)
    if not passages and not failures:
        msg = f"there are no documents in {', '.join(map(title, names))}: every line is blank"
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
            f"{title(first.file)} has nothing to rank: line {first.line} {first.error}; "
            f"choose a field with --text-field"
        )
        raise InputError(msg)


def _is_json(name: str, text_field: str | None) -> bool:
    if name == STDIN:
        return text_field is not None
    return name.lower().removesuffix(GZIP).endswith((".jsonl", ".ndjson"))


def _items(reading: Reading, *, paragraphs: bool, text_field: str | None) -> Iterator[Item]:
    lines = reading.lines()
    if _is_json(reading.name, text_field):
        return _objects(lines, text_field if text_field is not None else TEXT_FIELD)
    return _paragraphs(lines) if paragraphs else _texts(lines)


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
            yield replace(item, text=text_of(json_object(item.text), field))
        except LineError as error:
            yield Failure(file=item.file, line=item.line, error=error)
