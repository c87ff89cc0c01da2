"""Training data: queries and the passages that answer them, file by file."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jina_rerank.lines import GZIP, InputError, LineError, json_object, text_of

from ..collections import parsed
from . import make
from .crop import anywhere, crop
from .recipe import FilePart

LABEL = "label"
"""Of a passage in a list: above 0 answers the query."""

BLIND = 1 / 3
"""The share of positives that are cut at random: else the best part would always be the answer."""


@dataclass(frozen=True, slots=True)
class Example:
    """A query and what is known of some passages.

    Attributes:
        query: The query.
        positive: A passage that answers it; None if none is known.
        others: Passages that came with it and do not, or nobody knows.
    """

    query: str
    positive: str | None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The examples of one file, and all their passages, from which negatives are taken.

    Attributes:
        name: The file's name without its endings.
        passages: Each once.
        origins: Which whole passage each is of, so that two parts of one are not taken for
            negatives of each other's queries.
        queries: The queries.
        positives: The place in `passages` of each query's positive; -1 if it has none.
        others: The places of the passages that came with it.
    """

    name: str
    passages: list[str] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    positives: list[int] = field(default_factory=list)
    others: list[list[int]] = field(default_factory=list)


def rng(seed: int, *what: object) -> np.random.Generator:
    """Return a source of chance that depends on a seed and on what it is for."""
    return np.random.default_rng([seed, zlib.crc32(repr(what).encode())])


def examples(path: Path, part: FilePart, seed: int) -> list[Example]:
    """Read a file of training data.

    Each line is ``{"query": ..., "positive": ...}``, or ``{"query": ..., "passages": [...]}`` with
    texts or ``{"text": ..., "label": ...}``; or with `FilePart.make` a document, ``{"text": ...}``
    with or without ``"title"``, or a line of a text file.

    Raises:
        InputError: The file, or a line of it, cannot be used; the message names both.
    """
    if part.make:
        documents = parsed(path, _document(path, part.text))
        read = list(make.examples(documents, part.make, rng(seed, "make", path.name)))
        found = [Example(query, text) for query, text in read]
    else:
        found = list(parsed(path, lambda _, line: _example(line, part)))
    if not found:
        msg = f"{str(path)!r} holds no training data"
        raise InputError(msg)
    if part.cap is None or part.cap >= len(found):
        return found
    chosen = rng(seed, "cap", path.name).choice(len(found), part.cap, replace=False)
    return [found[i] for i in sorted(chosen.tolist())]


def pool(
    name: str, found: Sequence[Example], max_words: int | None, *, seed: int | None = None
) -> Pool:
    """Lay out examples, their passages cut to `max_words` around what matches the query.

    Args:
        name: The pool's.
        found: The examples.
        max_words: Words of a passage; None cuts nothing.
        seed: Draws the positives, `BLIND` of them, that are cut anywhere; None leaves that out.
    """
    made = Pool(name=name)
    places: dict[str, int] = {}
    wholes: dict[str, int] = {}
    chance = None if seed is None else rng(seed, "crop", name)

    def place(text: str, query: str, where: float | None = None) -> int:
        cut = text
        if max_words is not None:
            if where is not None and where < 1:
                cut = anywhere(text, max_words, where)
            else:
                cut = crop(text, query, max_words)
        if cut not in places:
            places[cut] = len(made.passages)
            made.passages.append(cut)
            made.origins.append(wholes.setdefault(text, len(wholes)))
        return places[cut]

    for example in found:
        made.queries.append(example.query)
        positive = example.positive
        where = None if chance is None else chance.random() / BLIND
        made.positives.append(-1 if positive is None else place(positive, example.query, where))
        made.others.append([place(text, example.query) for text in example.others])
    return made


def short_name(path: str) -> str:
    """Return a file's name without its folders and endings.

    >>> short_name("train/squad.jsonl.gz")
    'squad'
    """
    return Path(path.removesuffix(GZIP)).stem


def _example(line: str, part: FilePart) -> Example:
    value = json_object(line)
    query = text_of(value, part.query)
    if not query.strip():
        msg = "its query is blank"
        raise LineError(msg)
    before = f"{text_of(value, 'title')} " if part.title and value.get("title") else ""
    if "passages" not in value:
        return Example(query, before + _full(text_of(value, "positive")))
    passages = value["passages"]
    if not isinstance(passages, list) or not passages:
        msg = "its passages are no list, or an empty one"
        raise LineError(msg)
    texts = [(before + _full(text), label) for text, label in map(_labelled, passages)]
    positive = next((text for text, label in texts if label > 0), None)
    # Another passage that answers the query is not among its negatives either.
    others = tuple(text for text, label in texts if label <= 0)
    return Example(query, positive, others)


def _labelled(passage: Any) -> tuple[str, float]:
    """Return a passage's text and its label: 0 if it has none."""
    if isinstance(passage, str):
        return passage, 0
    if not isinstance(passage, dict):
        msg = "a passage of it is neither a text nor an object"
        raise LineError(msg)
    label = passage.get(LABEL, 0)
    if not isinstance(label, int | float):
        msg = f"a passage of it has a {LABEL} that is no number"
        raise LineError(msg)
    return text_of(passage, "text"), label


def _full(text: str) -> str:
    if not text.strip():
        msg = "a passage of it is blank"
        raise LineError(msg)
    return text


def _document(path: Path, key: str) -> Callable[[int, str], tuple[str, str]]:
    plain = not path.name.removesuffix(GZIP).endswith((".jsonl", ".ndjson"))

    def parse(_number: int, line: str) -> tuple[str, str]:
        if plain:
            return "", line.strip()
        value = json_object(line)
        title = text_of(value, "title").strip() if value.get("title") else ""
        return title, _full(text_of(value, key))

    return parse


def texts(pools: Sequence[Pool]) -> Iterator[str]:
    """Yield every query and passage once."""
    for one in pools:
        yield from one.queries
        yield from one.passages
