"""Queries made of plain documents: their titles, their first sentences, parts from within."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .crop import sentences

SHORT = 4
"""Words below which a title or a sentence is no query."""

LONG = 40
"""Words of a query at most."""


def examples(
    documents: Iterable[tuple[str, str]], kinds: Sequence[str], chance: np.random.Generator
) -> Iterator[tuple[str, str]]:
    """Make a query of each document, and take it out of the document.

    Args:
        documents: Titles, which may be empty, and texts.
        kinds: What queries may be: ``title``, ``first`` for the first sentence, ``span`` for a
            sentence from within; drawn for each document from those that it has.
        chance: Draws.

    Yields:
        Queries and passages; a document that has nothing to offer is left out.
    """
    for title, text in documents:
        parts = sentences(text)
        choices: list[tuple[str, str]] = []
        if "title" in kinds and title:
            choices.append((title, text))
        if "first" in kinds and len(parts) > 1 and _suits(parts[0]):
            choices.append((parts[0], " ".join(parts[1:])))
        inner = [i for i in range(1, len(parts)) if _suits(parts[i])]
        if "span" in kinds and inner:
            i = int(chance.choice(inner))
            choices.append((parts[i], " ".join([*parts[:i], *parts[i + 1 :]])))
        if choices:
            query, passage = choices[int(chance.integers(len(choices)))]
            yield " ".join(query.split()[:LONG]), passage


def _suits(sentence: str) -> bool:
    return len(sentence.split()) >= SHORT
