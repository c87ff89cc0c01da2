"""TREC runs: lines of query and document, whose texts are in a corpus and a file of queries."""

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from . import terminal
from .errors import JinaRerankError
from .lines import (
    Failure,
    InputError,
    LineError,
    Passage,
    Reading,
    json_object,
    opened,
    size,
    text_of,
    title,
)
from .tasks import LIST, SCORES, Item, Task, check

COLUMNS = ("query", "Q0", "document", "rank", "score", "tag")
"""Of a line of a run, as trec_eval reads it: https://github.com/usnistgov/trec_eval."""

SUFFIXES = (".trec", ".run")
"""How names end that are given to runs and to nothing else."""


class Texts:
    """Texts by id, of those ids only that are wanted, in a temporary file.

    >>> texts = Texts()
    >>> texts.want("d1")
    >>> texts.put("d1", "one"), texts.put("d2", "two")
    (True, False)
    >>> texts.get("d1"), texts.get("d2")
    ('one', None)
    """

    def __init__(self) -> None:
        # An empty name is SQLite's for a database that moves to disk as it grows, and goes away
        # with its connection.
        self._database = sqlite3.connect("")
        weakref.finalize(self, self._database.close)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE wanted (id TEXT PRIMARY KEY, text TEXT)")

    def want(self, name: str) -> None:
        """Remember an id whose text is to be kept."""
        with _stored():
            self._database.execute("INSERT OR IGNORE INTO wanted (id) VALUES (?)", (name,))

    def put(self, name: str, text: str) -> bool:
        """Keep a text if it is wanted, and tell whether it is."""
        with _stored():
            statement = "UPDATE wanted SET text = ? WHERE id = ?"
            return self._database.execute(statement, (text, name)).rowcount > 0

    def get(self, name: str) -> str | None:
        """Return a text; None if there is none of this id."""
        statement = "SELECT text FROM wanted WHERE id = ?"
        row: tuple[str | None] | None = self._database.execute(statement, (name,)).fetchone()
        return None if row is None else row[0]


@contextmanager
def _stored() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        msg = f"no room for the texts of the run: {error}; set SQLITE_TMPDIR to a folder with more"
        raise JinaRerankError(msg) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a run.

    Attributes:
        query: The id of the query.
        document: The id of the document.
        line: Its number, from 1.
        end: How many bytes of the file, as it is stored, end with it.
    """

    query: str
    document: str
    line: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, and the files in BEIR's form that its ids are of.

    Attributes:
        name: The run; it is read twice, so it is no pipe.
        corpus: JSON Lines of ``_id``, ``title`` and ``text``; a document is title and text.
        queries: JSON Lines of ``_id`` and ``text``.
        stdin: Standard input, should one of these be ``"-"``.
    """

    name: str
    corpus: str
    queries: str
    stdin: BinaryIO
    _documents: Texts = field(default_factory=Texts)
    _questions: Texts = field(default_factory=Texts)

    def fetch(self) -> Iterator[Failure]:
        """Fetch the texts that the run names, which `read` then needs.

        Yields:
            The bad lines of the queries and of the corpus.

        Raises:
            InputError: A file cannot be used, or holds nothing that the run names.
            JinaRerankError: There is no room for the texts.
        """
        anything = False
        with opened(self.name, self.stdin) as reading:
            for row in _rows(reading):
                if isinstance(row, Row):
                    anything = True
                    self._questions.want(row.query)
                    self._documents.want(row.document)
        if anything:
            yield from self._fill(self._questions, self.queries, "queries")
            yield from self._fill(self._documents, self.corpus, "documents")

    def _fill(self, texts: Texts, name: str, what: str) -> Iterator[Failure]:
        found = 0
        with (
            opened(name, self.stdin) as reading,
            terminal.progress(f"Reading {name}", size(name)) as show,
        ):
            for number, item in enumerate(_records(reading), 1):
                if isinstance(item, Failure):
                    yield item
                else:
                    found += texts.put(*item)
                show(reading.position, number)
        if not found:
            none = f"{title(name)} has none of the {what} that {title(self.name)} names"
            msg = f"{none}; is it the right file?"
            raise InputError(msg)

    def read(self) -> Iterator[Item]:
        """Read the tasks: one for each query, its documents in the order of the run.

        Yields:
            Tasks and failures in the order of the lines.

        Raises:
            InputError: The run cannot be read.
        """
        seen: set[str] = set()
        rows: list[Row] = []
        with opened(self.name, self.stdin) as reading:
            for row in _rows(reading):
                if isinstance(row, Failure):
                    yield row
                    continue
                if rows and row.query != rows[0].query:
                    yield from self._task(rows, seen)
                    rows = []
                rows.append(row)
        if rows:
            yield from self._task(rows, seen)

    def _task(self, rows: list[Row], seen: set[str]) -> Iterator[Item]:
        """Look the texts of one query up."""
        first = rows[0]
        try:
            query = self._query(first.query, seen)
        except LineError as error:
            yield Failure(file=self.name, line=first.line, error=error)
            return
        found: dict[str, str] = {}
        for row in rows:
            try:
                found[row.document] = self._document(row.document, found)
            except LineError as error:
                yield Failure(file=self.name, line=row.line, error=error)
        start = terminal.dump({"query_id": first.query, LIST: list(found)}).removesuffix("}")
        if found:
            yield Task(
                line=first.line,
                end=rows[-1].end,
                query=query,
                texts=list(found.values()),
                prefix=f'{start}, "{SCORES}": '.encode(),
            )

    def _query(self, name: str, seen: set[str]) -> str:
        if name in seen:
            msg = f"query {name!r} stands further up too; sort the run by query"
            raise LineError(msg)
        seen.add(name)
        text = self._questions.get(name)
        if text is None:
            msg = f"query {name!r} is not in {title(self.queries)}"
            raise LineError(msg)
        check(text, ())
        return text

    def _document(self, name: str, found: dict[str, str]) -> str:
        if name in found:
            msg = f"document {name!r} stands further up too for this query"
            raise LineError(msg)
        text = self._documents.get(name)
        if text is None:
            msg = f"document {name!r} is not in {title(self.corpus)}"
            raise LineError(msg)
        return text


def _rows(reading: Reading) -> Iterator[Row | Failure]:
    for item in reading.lines():
        if isinstance(item, Failure):
            yield item
            continue
        columns = item.text.split()
        if len(columns) == len(COLUMNS):
            yield Row(query=columns[0], document=columns[2], line=item.line, end=reading.position)
        elif columns:
            msg = f"has {len(columns)} columns; a TREC run has {len(COLUMNS)}: {' '.join(COLUMNS)}"
            yield Failure(file=item.file, line=item.line, error=LineError(msg))


def _records(reading: Reading) -> Iterator[tuple[str, str] | Failure]:
    for item in reading.lines():
        if isinstance(item, Failure):
            yield item
        elif item.text.strip():
            try:
                yield _record(item)
            except LineError as error:
                yield Failure(file=item.file, line=item.line, error=error)


def _record(item: Passage) -> tuple[str, str]:
    """Take a record's id, and its title and text as BEIR's cross-encoders are given them."""
    value = json_object(item.text)
    name, text = text_of(value, "_id"), text_of(value, "text")
    heading = "" if value.get("title") is None else text_of(value, "title")
    return name, f"{heading} {text}".strip()
