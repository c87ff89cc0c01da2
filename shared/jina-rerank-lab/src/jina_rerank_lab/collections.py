"""Test collections in BEIR's layout: a corpus, queries, and which documents answer which query.

The layout: https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from jina_rerank.lines import (
    GZIP,
    Failure,
    InputError,
    LineError,
    json_object,
    opened,
    text_of,
)
from jina_rerank.lines import Passage as Line

T = TypeVar("T")

COLUMNS = ("query-id", "corpus-id", "score")
"""Of a line of qrels, between tabs; the first line may be these names."""

SPLIT = "test"
"""Whose judgements are read unless the user says otherwise."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A document.

    Attributes:
        title: Its title; many have none.
        text: The rest of it.

    >>> Passage("Mars", "Mars is red.").full
    'Mars Mars is red.'
    """

    title: str
    text: str

    @property
    def full(self) -> str:
        """Title and text, as BEIR gives them to cross-encoders."""
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A test collection; every query is judged, and every judged document is in the corpus.

    Attributes:
        name: The name of its folder.
        corpus: The documents by id.
        queries: The texts of the queries by id.
        qrels: By query and document, how relevant the document is: 0 is not.
    """

    name: str
    corpus: Mapping[str, Passage]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]

    def sample(self, size: int) -> "Collection":
        """Keep the first queries by the SHA-1 of their ids: the same ones on every machine.

        Args:
            size: How many; all, if there are fewer.
        """
        kept = sorted(self.queries, key=lambda name: hashlib.sha1(name.encode()).digest())[:size]  # noqa: S324 - order, no secret
        return replace(
            self,
            queries={name: self.queries[name] for name in kept},
            qrels={name: self.qrels[name] for name in kept},
        )


def read(folder: Path, *, split: str = SPLIT) -> Collection:
    """Read a collection.

    Args:
        folder: It holds ``corpus.jsonl``, ``queries.jsonl``, and ``qrels/SPLIT.tsv`` or
            ``qrels.tsv``; each may be compressed and end in ``.gz``.
        split: Whose judgements to read; queries that have none are left out.

    Raises:
        InputError: A file is missing or damaged, or a line cannot be used: it is broken, its id
            stands further up too, a query is blank, or a judgement names what is not there. The
            message names the file and the line.
    """
    if not folder.is_dir():
        msg = f"there is no folder {str(folder)!r}; a collection is one with corpus.jsonl in it"
        raise InputError(msg)
    corpus = dict(_unique(_file(folder, "corpus.jsonl"), _passage))
    if not corpus:
        msg = f"{str(_file(folder, 'corpus.jsonl'))!r} holds no documents"
        raise InputError(msg)
    queries = dict(_unique(_file(folder, "queries.jsonl"), _query))
    qrels = _qrels(_file(folder, f"qrels/{split}.tsv", "qrels.tsv"), queries, corpus)
    return Collection(
        name=folder.resolve().name,
        corpus=corpus,
        queries={name: text for name, text in queries.items() if name in qrels},
        qrels=qrels,
    )


def _file(folder: Path, *names: str) -> Path:
    """Find the first of several files, compressed or not."""
    paths = [folder / f"{name}{end}" for name in names for end in ("", GZIP)]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        wanted = " or ".join(names)
        msg = f"{str(folder)!r} has no {wanted}, also none that ends in {GZIP}"
        raise InputError(msg)
    return found


def _passage(line: str) -> tuple[str, Passage]:
    value = json_object(line)
    title = "" if value.get("title") is None else text_of(value, "title")
    return text_of(value, "_id"), Passage(title, text_of(value, "text"))


def _query(line: str) -> tuple[str, str]:
    value = json_object(line)
    name, text = text_of(value, "_id"), text_of(value, "text")
    if not text.strip():
        msg = f"query {name!r} is blank"
        raise LineError(msg)
    return name, text


def _unique(path: Path, parse: Callable[[str], tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """Read records by their ids, each of which may stand in one line only."""
    seen: dict[str, int] = {}

    def parse_new(number: int, line: str) -> tuple[str, T]:
        name, value = parse(line)
        if not name:
            msg = "has an empty id"
            raise LineError(msg)
        if name in seen:
            msg = f"id {name!r} stands in line {seen[name]} too"
            raise LineError(msg)
        seen[name] = number
        return name, value

    return parsed(path, parse_new)


def _qrels(
    path: Path, queries: Mapping[str, str], corpus: Mapping[str, Passage]
) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}

    def parse(number: int, line: str) -> tuple[str, str, int] | None:
        columns = tuple(line.split("\t"))
        if number == 1 and columns == COLUMNS:
            return None
        query, document, score = _judgement(columns)
        for name, known, what in ((query, queries, "query"), (document, corpus, "document")):
            if name not in known:
                file = "queries" if what == "query" else "corpus"
                msg = f"names {what} {name!r}, which is not in the {file}"
                raise LineError(msg)
        if document in qrels.get(query, {}):
            msg = f"judges document {document!r} for query {query!r} once more"
            raise LineError(msg)
        return query, document, score

    for judgement in parsed(path, parse):
        if judgement is not None:
            query, document, score = judgement
            qrels.setdefault(query, {})[document] = score
    if not qrels:
        msg = f"{str(path)!r} holds no judgements"
        raise InputError(msg)
    return qrels


def _judgement(columns: tuple[str, ...]) -> tuple[str, str, int]:
    if len(columns) != len(COLUMNS):
        msg = (
            f"has {len(columns)} columns; qrels have {len(COLUMNS)}, with tabs: {' '.join(COLUMNS)}"
        )
        raise LineError(msg)
    query, document, score = columns
    try:
        return query, document, int(score)
    except ValueError as error:
        msg = f"its score {score!r} is not a whole number"
        raise LineError(msg) from error


def parsed(path: Path, parse: Callable[[int, str], T]) -> Iterator[T]:
    """Parse every line of a file that is not blank, and end at the first that cannot be.

    Args:
        path: The file; its name may end in ``.gz``.
        parse: What makes a value of the number of a line, from 1, and its text; it raises a
            `LineError` with the reason why it cannot.

    Raises:
        InputError: The file, or a line of it, cannot be used; the message names both.
    """
    with opened(str(path), BytesIO()) as reading:
        for item in reading.lines():
            try:
                yield from _values(item, parse)
            except LineError as error:
                msg = f"{path}:{item.line}: {error}"
                raise InputError(msg) from error


def _values(item: Line | Failure, parse: Callable[[int, str], T]) -> Iterable[T]:
    if isinstance(item, Failure):
        raise item.error
    return [parse(item.line, item.text)] if item.text.strip() else []
