"""Synthetic questions and documents of known length: the same texts in every run.

Lengths are what the model reads for a pair: query, document and special tokens.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random

from tokenizers import Tokenizer

from jina_rerank.types import Request

QUERY_TOKENS = 10
MEDIAN, SIGMA = 148, 0.5  # of the log-normal lengths: their mean is then near 167
SHORTEST, LONGEST = 40, 400
LETTERS = 3  # the shortest word that texts are made of


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a workload looks.

    Attributes:
        name: What people read.
        lengths: Tokens per pair, in the order of the documents.
        queries: How many queries share the pairs, one after the other, in equal parts.
        calls: How often a round runs it; short ones need more for their percentiles.
    """

    name: str
    lengths: tuple[int, ...]
    queries: int = 1
    calls: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """Queries with their documents, and the number of tokens of each pair.

    Attributes:
        name: What people read.
        requests: Each query with its documents; all of them are one call.
        lengths: Tokens of each pair, request after request.
        calls: How often a round runs it.
        forward_only: Texts are tokenized before the clock starts.
    """

    name: str
    requests: tuple[Request, ...]
    lengths: tuple[int, ...]
    calls: int = 1
    forward_only: bool = False

    @property
    def tokens(self) -> int:
        """What the model reads in a call."""
        return sum(self.lengths)

    @property
    def documents(self) -> int:
        """How many documents a call has."""
        return len(self.lengths)


def log_normal(count: int, *, seed: int = 0) -> tuple[int, ...]:
    """Draw lengths from a log-normal distribution, as passages have it, cut to the range."""
    random = Random(seed)  # noqa: S311 - lengths are no secret
    drawn = (round(random.lognormvariate(math.log(MEDIAN), SIGMA)) for _ in range(count))
    return tuple(min(max(length, SHORTEST), LONGEST) for length in drawn)


def uniform(count: int, shortest: int, longest: int) -> tuple[int, ...]:
    """Spread lengths evenly over a range."""
    step = (longest - shortest) / max(count - 1, 1)
    return tuple(round(shortest + step * number) for number in range(count))


def one(length: int) -> Shape:
    """Ask for one document of so many tokens."""
    return Shape(name=f"{length:,} tokens", lengths=(length,))


PASSAGES = Shape(name="100 documents", lengths=log_normal(100))
FEW_PASSAGES = Shape(name="10 documents", lengths=log_normal(10))
LONG = one(8192)
LESS_LONG = one(1024)

SHAPES = {
    "passages": PASSAGES,
    "passages-1000": Shape(name="1,000 documents", lengths=log_normal(1000)),
    "short": Shape(name="100 of 20-60 tokens", lengths=uniform(100, 20, 60)),
    "long": Shape(name="20 of 2,000 tokens", lengths=(2000,) * 20),
    "longest": LONG,
    "queries": Shape(name="64 queries x 20", lengths=log_normal(64 * 20), queries=64),
    "latency": Shape(name="10 documents", lengths=log_normal(10), calls=20),
}
"""The workloads by the name that the command line takes."""


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
    queries = [" ".join(random.choices(words, k=QUERY_TOKENS)) for _ in range(shape.queries)]
    overhead = QUERY_TOKENS + tokenizer.num_special_tokens_to_add(is_pair=True)
    drawn = [random.choices(words, k=length) for length in shape.lengths]
    texts = (" ".join(some[: len(some) - overhead]) for some in drawn)
    each = len(shape.lengths) // shape.queries
    requests = tuple((query, tuple(islice(texts, each))) for query in queries)
    check(tokenizer, requests, shape.lengths)
    return Workload(name=shape.name, requests=requests, lengths=shape.lengths, calls=shape.calls)


def forward_only(workload: Workload) -> Workload:
    """Return the workload without tokenization."""
    return replace(workload, name=f"{workload.name}, forward only", forward_only=True)


def pairs(requests: Sequence[Request]) -> Iterator[tuple[str, str]]:
    """Yield the query and the document of each pair, request after request."""
    return ((query, document) for query, documents in requests for document in documents)


def vocabulary_words(tokenizer: Tokenizer) -> list[str]:
    """Return the lower-case words of 3 letters and more that are one token, in the order of ids."""
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    words = [w for w, _ in by_id if len(w) >= LETTERS and w.isascii() and w.isalpha()]
    encodings = tokenizer.encode_batch(words, add_special_tokens=False)
    pairs = zip(words, encodings, strict=True)
    return [word for word, encoding in pairs if encoding.tokens == [word]]


def check(tokenizer: Tokenizer, requests: Sequence[Request], lengths: Sequence[int]) -> None:
    """Raise unless each pair has its length, special tokens included."""
    encodings = tokenizer.encode_batch(list(pairs(requests)))
    found = [len(encoding.ids) for encoding in encodings]
    if found != list(lengths):
        msg = f"the tokenizer makes pairs of {found} tokens, expected {list(lengths)}"
        raise ValueError(msg)
