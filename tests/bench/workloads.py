"""Synthetic questions and documents of known length: the same texts in every run.

Lengths are what the model reads for a pair: query, document and special tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

QUERY_TOKENS = 10
MEDIAN, SIGMA = 148, 0.5  # of the log-normal lengths: their mean is then near 167
SHORTEST, LONGEST = 40, 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a workload looks: `lengths` in tokens per pair, in the order of the documents."""

    name: str
    lengths: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """One query and its documents, with the number of tokens of each pair."""

    name: str
    query: str
    documents: tuple[str, ...]
    lengths: tuple[int, ...]


def log_normal(count: int, *, seed: int = 0) -> tuple[int, ...]:
    """Draw lengths from a log-normal distribution, as passages have it, cut to the range."""
    random = Random(seed)  # noqa: S311 - lengths are no secret
    drawn = (round(random.lognormvariate(math.log(MEDIAN), SIGMA)) for _ in range(count))
    return tuple(min(max(length, SHORTEST), LONGEST) for length in drawn)


PASSAGES = Shape(name="100 documents", lengths=log_normal(100))
FEW_PASSAGES = Shape(name="10 documents", lengths=log_normal(10))
LONG = Shape(name="8,192 tokens", lengths=(8192,))
LESS_LONG = Shape(name="1,024 tokens", lengths=(1024,))


def build(
    shape: Shape, tokenizer: Tokenizer, *, words: Sequence[str] | None = None, seed: int = 0
) -> Workload:
    """Sample words that are one token each until each pair has its length.

    Two tokenizers get the same texts from the same words, except that a document is longer by as
    many words as a pair has fewer special tokens.

    Args:
        shape: The lengths.
        tokenizer: Counts the tokens.
        words: What to sample from; the default is the tokenizer's `vocabulary_words`.
        seed: Of the texts.

    Raises:
        ValueError: The tokenizer counts otherwise, so the lengths would be wrong.
    """
    words = vocabulary_words(tokenizer) if words is None else words
    random = Random(seed)  # noqa: S311 - texts are no secret
    query = " ".join(random.choices(words, k=QUERY_TOKENS))
    overhead = QUERY_TOKENS + tokenizer.num_special_tokens_to_add(is_pair=True)
    drawn = [random.choices(words, k=length) for length in shape.lengths]
    documents = tuple(" ".join(some[: len(some) - overhead]) for some in drawn)
    check(tokenizer, query, documents, shape.lengths)
    return Workload(name=shape.name, query=query, documents=documents, lengths=shape.lengths)


def vocabulary_words(tokenizer: Tokenizer) -> list[str]:
    """Return the lower-case words of 3 letters and more that are one token, in the order of ids."""
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    words = [word for word, _ in by_id if len(word) > 2 and word.isascii() and word.isalpha()]
    encodings = tokenizer.encode_batch(words, add_special_tokens=False)
    pairs = zip(words, encodings, strict=True)
    return [word for word, encoding in pairs if encoding.tokens == [word]]


def check(
    tokenizer: Tokenizer, query: str, documents: Sequence[str], lengths: Sequence[int]
) -> None:
    """Raise unless each pair has its length, special tokens included."""
    encodings = tokenizer.encode_batch([(query, document) for document in documents])
    found = [len(encoding.ids) for encoding in encodings]
    if found != list(lengths):
        msg = f"the tokenizer makes pairs of {found} tokens, expected {list(lengths)}"
        raise ValueError(msg)
