"""Text to token ids, exactly as the checkpoint's own tokenizer.json says.

Through `tokenizers` and never through transformers' `AutoTokenizer`: version 5 rebuilds this
tokenizer without its normalizer and pre-tokenizer, and gives wrong ids without an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tokenizers import Tokenizer

from ..errors import CheckpointError

PROBES = ("a", "the", "0", ".")
"""Texts that a tokenizer may know; one of them shows where its template puts a text."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The model's input for one query and one document or window of it.

    Attributes:
        ids: Token ids, special tokens included.
        types: The token type of each.
    """

    ids: list[int]
    types: list[int]


@dataclass(frozen=True, slots=True)
class Template:
    """The special tokens around a query and a document: ``before query between document after``.

    Attributes:
        specials: The ids of the three runs of special tokens.
        types: The token types: of the three runs, and of the query's and the document's tokens.
    """

    specials: tuple[list[int], list[int], list[int]]
    types: tuple[list[int], int, list[int], int, list[int]]

    @property
    def overhead(self) -> int:
        """The number of special tokens."""
        return sum(map(len, self.specials))

    def fill(self, query: list[int], document: list[int]) -> Pair:
        """Put the tokens of a query and of a document into their places."""
        before, between, after = self.specials
        one, q, two, d, three = self.types
        return Pair(
            [*before, *query, *between, *document, *after],
            [*one, *[q] * len(query), *two, *[d] * len(document), *three],
        )


class PairTokenizer:
    """Turns texts into token ids, and ids into the model's input.

    Thread-safe: the tokenizer is not changed after it is made.

    Raises:
        CheckpointError: The file is no tokenizer, or has no place for a query and a document.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = read_tokenizer(path)
        self.template = _read_template(self._tokenizer, str(path))
        self.highest_id = max(self.vocabulary().values())

    def check(self, words: int, types: int, model: str) -> None:
        """Raise if it can give an id or a token type that the model has no row for.

        Args:
            words: Rows of the word embedding.
            types: Rows of the token type embedding.
            model: The model in the message.

        Raises:
            CheckpointError: It can.
        """
        pair = self.template.fill([0], [0])
        for name, highest, rows in (
            ("token ids", self.highest_id, words),
            ("token types", max(pair.types), types),
        ):
            if highest >= rows:
                msg = f"{model!r}: its tokenizer gives {name} up to {highest}, its model has {rows} rows"
                raise CheckpointError(msg)

    def vocabulary(self) -> dict[str, int]:
        """Return the id of every token."""
        found: dict[str, int] = self._tokenizer.get_vocab()
        return found

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, without special tokens around them, uncut.

        The name of a special token inside a text becomes that token, as in the reference.
        """
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.json, without the truncation and the padding that it may ask for.

    Raises:
        CheckpointError: The file is no tokenizer.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers has no class of its own
        msg = f"{str(path)!r} is not a tokenizer file: {error}"
        raise CheckpointError(msg) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_template(tokenizer: Tokenizer, path: str) -> Template:
    """Find the special tokens of a pair by asking the tokenizer for one."""
    for probe in PROBES:
        encoding = tokenizer.encode(probe, probe)
        places = [[i for i, s in enumerate(encoding.sequence_ids) if s == k] for k in (0, 1)]
        if not all(places):
            continue
        (q0, *_), (d0, *_) = places
        edges = (0, q0, places[0][-1] + 1, d0, places[1][-1] + 1, len(encoding.ids))
        runs = [slice(*edge) for edge in pairwise(edges)]
        one, q, two, d, three = (encoding.type_ids[run] for run in runs)
        before, between, after = (encoding.ids[runs[i]] for i in (0, 2, 4))
        if q0 < d0 and before and between:
            return Template((before, between, after), (one, q[0], two, d[0], three))
    msg = f"{path!r} has no template that puts a query before a document"
    raise CheckpointError(msg)
