"""Lines of queries with documents, to be scored: what is asked of each, and how its answer reads."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, TypeAlias

from .files import TEXT_FIELD
from .jobs import Job
from .lines import (
    Failure,
    LineError,
    MissingFieldError,
    Passage,
    json_object,
    kind,
    names,
    opened,
    text_of,
)
from .models import find
from .settings import Settings
from .terminal import dump, escape

LIST, SINGLE = "documents", "document"
"""Where the documents of a line are, or its only one, unless the user says otherwise."""

SCORES, SCORE, MODEL, MODEL_SETTINGS = "scores", "score", "model", "model_settings"
"""What a line of the output has more than its line of the input."""

ADDED = frozenset({SCORES, SCORE, MODEL, MODEL_SETTINGS})


@dataclass(frozen=True, kw_only=True)
class Origin:
    r"""What made scores: the name of the model, and the settings that make its scores others.

    Attributes:
        model: The model's name in Jina's API, or as the user gave it.
        settings: `backend`, its address, `max_length` and `dtype`, where they are not the default.

    >>> Origin(model="nano", settings={"max_length": 512}).suffix
    b', "model": "nano", "model_settings": {"max_length": 512}}\n'
    """

    model: str
    settings: dict[str, object]

    @classmethod
    def of(cls, settings: Settings) -> "Origin":
        """Take from all settings those that a file of scores has to remember."""
        info = find(settings.model)
        options = {
            "backend": (settings.backend_name, "local"),
            "base_url": (settings.base_url, None),
            "endpoint_name": (settings.endpoint_name, None),
            "max_length": (settings.max_length, None),
            "dtype": (settings.dtype, "auto"),
        }
        return cls(
            model=info.name if info is not None else settings.model,
            settings={name: value for name, (value, usual) in options.items() if value != usual},
        )

    @cached_property
    def suffix(self) -> bytes:
        """What each line of output ends with."""
        made = {MODEL: self.model} | ({MODEL_SETTINGS: self.settings} if self.settings else {})
        return f", {dump(made)[1:]}\n".encode()

    def __str__(self) -> str:
        """Describe for a message."""
        options = [f"{name} {value}" for name, value in self.settings.items()]
        return " and ".join([f"model {self.model!r}", *options])


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A line to score.

    Attributes:
        line: Its number, from 1; of a run, that of the query's first line.
        end: How many bytes of the input, as it is stored, end with it.
        query: The query.
        texts: The documents.
        single: True if there is one document and its score is a number, not an array.
        prefix: What its line of output starts with, up to the scores.
    """

    line: int
    end: int
    query: str
    texts: Sequence[str]
    single: bool = False
    prefix: bytes

    @property
    def characters(self) -> int:
        """About what is held of it, and what the model has to read."""
        return len(self.prefix) + sum(len(self.query) + len(text) for text in self.texts)

    def output(self, scores: Sequence[float], origin: Origin) -> bytes:
        """Make the line of output."""
        value = json.dumps(scores[0] if self.single else list(scores))
        return self.prefix + value.encode() + origin.suffix


Item: TypeAlias = Task | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Where a line keeps what.

    Attributes:
        query: The query.
        documents: An array of documents, or one; None is ``"documents"`` or ``"document"``.
        text: The text, in a document that is an object.

    Raises:
        ValueError: A name is empty, or that of a field which the output adds.
    """

    query: str = "query"
    documents: str | None = None
    text: str = TEXT_FIELD

    def __post_init__(self) -> None:
        """Check."""
        for option, name in (
            ("--query-field", self.query),
            ("--documents-field", self.documents),
            ("--text-field", self.text),
        ):
            if name == "":
                msg = f"{option} must be the name of a field"
                raise ValueError(msg)
        for option, name in (("--query-field", self.query), ("--documents-field", self.documents)):
            if name in ADDED:
                msg = f"{option} {name} is where the output has its own; rename that field"
                raise ValueError(msg)


def read_json_lines(name: str, stdin: BinaryIO, fields: Fields) -> Iterator[Item]:
    """Read the tasks of a JSON Lines file, one line at a time; blank lines are none.

    Args:
        name: The file; ``"-"`` is standard input.
        stdin: Standard input.
        fields: Where a line keeps what.

    Yields:
        Tasks and failures in the order of the lines.

    Raises:
        InputError: The file is missing, unreadable, binary or damaged.
    """
    with opened(name, stdin) as reading:
        for item in reading.lines():
            if isinstance(item, Failure):
                yield item
            elif item.text.strip():
                try:
                    yield _task(item, reading.position, fields)
                except LineError as error:
                    yield Failure(file=name, line=item.line, error=error)


def check(query: str, texts: Sequence[str]) -> None:
    """Raise unless the engine takes this; nobody else decides what is a good line.

    Raises:
        LineError: The query is blank, or a text is not valid Unicode.
    """
    try:
        Job.of(query, texts)
    except ValueError as error:
        raise LineError(str(error)) from error


def _task(item: Passage, end: int, fields: Fields) -> Task:
    value = json_object(item.text)
    query = text_of(value, fields.query)
    field = _documents_field(value, fields)
    found = value[field]
    single = not isinstance(found, list)
    if single:
        texts = [_text(found, f"field {field!r}", fields.text)]
    else:
        places = (f"{field}[{i}]" for i in range(len(found)))
        texts = [_text(*pair, fields.text) for pair in zip(found, places, strict=True)]
    check(query, texts)
    return Task(
        line=item.line,
        end=end,
        query=query,
        texts=texts,
        single=single,
        prefix=_prefix(item.text, value, SCORE if single else SCORES),
    )


def _documents_field(value: dict[str, Any], fields: Fields) -> str:
    if fields.documents is not None and fields.documents not in value:
        msg = f"has no field {fields.documents!r}; it has {names(value)}"
        raise MissingFieldError(msg)
    if fields.documents is not None:
        return fields.documents
    if LIST in value and SINGLE in value:
        msg = f"has both {LIST!r} and {SINGLE!r}; choose one with --documents-field"
        raise LineError(msg)
    if LIST not in value and SINGLE not in value:
        msg = f"has no field {LIST!r} or {SINGLE!r}; it has {names(value)}"
        raise MissingFieldError(msg)
    return LIST if LIST in value else SINGLE


def _text(document: object, place: str, field: str) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        msg = f"{place} is neither a text nor an object with one, but {kind(document)}"
        raise LineError(msg)
    try:
        return text_of(document, field)
    except LineError as error:
        msg = f"{place}: {error}"
        raise type(error)(msg) from error


def _prefix(line: str, value: dict[str, Any], key: str) -> bytes:
    """Keep the line as it is written, numbers and all; without what is added, if it had that."""
    if ADDED.isdisjoint(value):
        start = escape(line.strip().removesuffix("}").rstrip())
    else:
        kept = {name: held for name, held in value.items() if name not in ADDED}
        start = dump(kept).removesuffix("}")
    return f'{start}, "{key}": '.encode()
