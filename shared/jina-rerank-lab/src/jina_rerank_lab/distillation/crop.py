"""Short passages out of long ones: the part that matches a query best, or any part."""

import re
from collections.abc import Iterator, Sequence

WORD = re.compile(r"\w+")
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")
LEAST = 3
"""Letters of a word that tells something; shorter ones are mostly function words."""


def sentences(text: str) -> list[str]:
    """Split a text at what ends a sentence: roughly, as training data need no more.

    >>> sentences("Mars is red. Is Venus? No!")
    ['Mars is red.', 'Is Venus?', 'No!']
    """
    return SENTENCE.split(text.strip())


def crop(text: str, query: str, max_words: int) -> str:
    """Cut a passage to a number of words, around what shares most words with the query.

    A cut starts with a sentence, or where the one before a long sentence would have ended. The
    first of equally good ones wins.

    Args:
        text: The passage.
        query: The query; words of it that are in every cut decide nothing.
        max_words: Words to keep, as spaces divide them.

    >>> crop("Bread is baked. Iron rust makes Mars red. Rain falls.", "why is Mars red", 5)
    'Iron rust makes Mars red.'
    """
    words = text.split()
    if len(words) <= max_words:
        return text
    wanted = _telling(query)
    starts = _starts(text, max_words)

    def shared(start: int) -> int:
        return len(wanted & _telling(" ".join(words[start : start + max_words])))

    return _cut(words, max(starts, key=lambda start: (shared(start), -start)), max_words)


def anywhere(text: str, max_words: int, where: float) -> str:
    """Cut a passage to a number of words, around no matter what.

    Args:
        text: The passage.
        max_words: Words to keep, as spaces divide them.
        where: Which of the cuts that `crop` chooses from, from 0 to below 1.

    >>> anywhere("Bread is baked. Iron rust makes Mars red. Rain falls.", 5, 0.0)
    'Bread is baked. Iron rust'
    """
    words = text.split()
    if len(words) <= max_words:
        return text
    starts = _starts(text, max_words)
    return _cut(words, starts[int(where * len(starts))], max_words)


def _cut(words: Sequence[str], start: int, max_words: int) -> str:
    start = min(start, len(words) - max_words)
    return " ".join(words[start : start + max_words])


def _starts(text: str, max_words: int) -> list[int]:
    """Return the words with which a cut may start; the end of the text is no cut of its own."""
    last = len(text.split()) - max_words // 2
    return [start for start in _sentence_starts(text, max_words) if start < last]


def _sentence_starts(text: str, max_words: int) -> Iterator[int]:
    place = 0
    for sentence in sentences(text):
        count = len(sentence.split())
        yield from range(place, place + max(count, 1), max_words)
        place += count


def _telling(text: str) -> set[str]:
    """Return the words of a text that are not short, without their endings, roughly."""
    words: Sequence[str] = WORD.findall(text.lower())
    return {word[:6] for word in words if len(word) > LEAST}
