"""Queries made of plain documents: their titles, sentences, first halves."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .crop import sentences

SHORT = 4
"""Words below which a title or a sentence is no query."""

LONG = 40
"""Words of a query at most, unless it is a half."""

LONGEST = 160
"""Words of a half at most."""


def examples(
    documents: Iterable[tuple[str, str]], kinds: Sequence[str], chance: np.random.Generator
) -> Iterator[tuple[str, str]]:
    """Make a query of each document, and take it out of the document.

    Args:
        documents: Titles, which may be empty, and texts.
        kinds: What queries may be: ``title``, ``first`` for the first sentence, ``span`` for a
            sentence from within, ``half`` for the first half of the sentences, which makes queries
            as long as passages; drawn for each document from those that it has.
        chance: Draws.

    Yields:
        Queries and passages; a document that has nothing to offer is left out.
    """
    for title, text in documents:
        parts = sentences(text)
        choices: list[tuple[str, str]] = []
        if "title" in kinds and title:
            choices.append((_cut(title, LONG), text))
        if "first" in kinds and len(parts) > 1 and _suits(parts[0]):
            choices.append((_cut(parts[0], LONG), " ".join(parts[1:])))
        inner = [i for i in range(1, len(parts)) if _suits(parts[i])]
        if "span" in kinds and inner:
            i = int(chance.choice(inner))
            choices.append((_cut(parts[i], LONG), " ".join([*parts[:i], *parts[i + 1 :]])))
        if "half" in kinds and len(parts) > 1:
            middle = len(parts) // 2
            first, second = (" ".join(half) for half in (parts[:middle], parts[middle:]))
            choices.append((_cut(first, LONGEST), second))
        if choices:
            yield choices[int(chance.integers(len(choices)))]


def _cut(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


def _suits(sentence: str) -> bool:
    return len(sentence.split()) >= SHORT
