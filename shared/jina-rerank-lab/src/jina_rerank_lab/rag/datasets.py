"""Questions and the passages that answer them: from LlamaIndex's files, or BEIR's folders.

Two files of LlamaIndex are read: ``rag_dataset.json`` of a labelled dataset, whose passages are the
contexts of its examples, and the JSON of an embedding dataset with queries, corpus and relevant
documents, as ``generate_question_context_pairs`` makes it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jina_rerank.lines import InputError

from .. import collections
from ..collections import Collection, Passage
from ..loading import load

FILE = "rag_dataset.json"
"""How a labelled dataset is called in its folder."""

EMBEDDING = ("queries", "corpus", "relevant_docs")
"""The keys of an embedding dataset."""

ID = 16
"""Characters of a passage's id, where it has none: the start of its SHA-256."""


def read(path: Path, *, split: str = collections.SPLIT) -> Collection:
    """Read a dataset.

    Args:
        path: A file of LlamaIndex, a folder that holds a ``rag_dataset.json``, or a collection in
            BEIR's layout.
        split: Whose judgements, of a collection in BEIR's layout.

    Raises:
        InputError: It is none of these, or a part of it cannot be used; the message says where.
    """
    if path.is_dir() and not (path / FILE).is_file():
        return collections.read(path, split=split)
    file = path / FILE if path.is_dir() else path
    name = file.resolve().parent.name if file.name == FILE else file.stem
    value = _load(file)
    read_as = _labelled if "examples" in value else _embedding
    return read_as(name, value, str(file))


def _load(path: Path) -> dict[str, Any]:
    value = load(path, json.loads, "JSON")
    if not isinstance(value, dict) or not ("examples" in value or set(EMBEDDING) <= set(value)):
        wanted = f"'examples', or {', '.join(map(repr, EMBEDDING))}"
        msg = f"{str(path)!r} is no dataset of LlamaIndex: it needs {wanted}"
        raise InputError(msg)
    return value


def _labelled(name: str, value: Mapping[str, Any], where: str) -> Collection:
    """Make a collection of a labelled dataset; equal contexts are one passage."""
    corpus: dict[str, Passage] = {}
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number, example in enumerate(value["examples"]):
        place = f"{where}: example {number}"
        query, contexts = _fields(example, place)
        query_id = f"q{number}"
        queries[query_id] = query
        for text in contexts:
            passage = hashlib.sha256(text.encode()).hexdigest()[:ID]
            corpus[passage] = Passage("", text)
            qrels.setdefault(query_id, {})[passage] = 1
    return _checked(Collection(name=name, corpus=corpus, queries=queries, qrels=qrels), where)


def _fields(example: object, place: str) -> tuple[str, list[str]]:
    query = example.get("query") if isinstance(example, dict) else None
    contexts = example.get("reference_contexts") if isinstance(example, dict) else None
    if not isinstance(query, str) or not query.strip():
        msg = f"{place} has no query"
        raise InputError(msg)
    if not isinstance(contexts, list) or not contexts:
        msg = f"{place} has no reference_contexts: without them nothing tells what was to be found"
        raise InputError(msg)
    if not all(isinstance(text, str) and text.strip() for text in contexts):
        msg = f"{place} has a reference context that is no text, or blank"
        raise InputError(msg)
    return query, contexts


def _embedding(name: str, value: Mapping[str, Any], where: str) -> Collection:
    """Make a collection of an embedding dataset."""
    queries, corpus, relevant = (value[key] for key in EMBEDDING)
    for key, part in zip(EMBEDDING, (queries, corpus, relevant), strict=True):
        if not isinstance(part, dict):
            msg = f"{where}: {key} is not an object"
            raise InputError(msg)
    for key, part in (("queries", queries), ("corpus", corpus)):
        blank = [one for one, text in part.items() if not isinstance(text, str) or not text.strip()]
        if blank:
            msg = f"{where}: {key} {blank[0]!r} is no text, or blank"
            raise InputError(msg)
    for query, found in relevant.items():
        unknown = [one for one in found if one not in corpus]
        if query not in queries or unknown:
            msg = f"{where}: relevant_docs {query!r} names what is not in queries and corpus"
            raise InputError(msg)
    collection = Collection(
        name=name,
        corpus={one: Passage("", text) for one, text in corpus.items()},
        queries={query: queries[query] for query in relevant},
        qrels={query: dict.fromkeys(found, 1) for query, found in relevant.items()},
    )
    return _checked(collection, where)


def _checked(collection: Collection, where: str) -> Collection:
    if not collection.queries:
        msg = f"{where} holds no questions"
        raise InputError(msg)
    return collection
