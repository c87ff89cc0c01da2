"""A smaller vocabulary: the tokens that the training text needs, in a valid WordPiece tokenizer."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from tokenizers import Tokenizer

from jina_rerank.errors import CheckpointError
from jina_rerank.lines import InputError

PREFIX = "##"
"""How pieces that continue a word begin."""

CHUNK = 1024
"""Texts that are tokenized at once."""


def prune(tokenizer: Tokenizer, texts: Iterable[str], size: int) -> tuple[Tokenizer, list[int]]:
    """Keep the tokens that are frequent in some texts; rarer words fall into pieces that are kept.

    Special tokens and all single characters, at the start of a word and within, stay in any case,
    so that no word becomes unknown that was not. Ties go to the lower id: the vocabularies of the
    BERT family list common words first.

    Args:
        tokenizer: A WordPiece tokenizer.
        texts: What it will read.
        size: Tokens to keep.

    Returns:
        The new tokenizer, with BERT's pair template, and the old id of each new one.

    Raises:
        CheckpointError: It is no WordPiece tokenizer.
        InputError: `size` has no room for the special tokens and the characters.
    """
    described = json.loads(tokenizer.to_str())
    if described["model"]["type"] != "WordPiece":
        msg = f"a vocabulary can be pruned in a WordPiece tokenizer, not in {described['model']['type']}"
        raise CheckpointError(msg)
    vocabulary: dict[str, int] = described["model"]["vocab"]
    special = [token["content"] for token in described["added_tokens"] if token["special"]]
    characters = [
        token
        for token in sorted(vocabulary, key=vocabulary.__getitem__)
        if len(token.removeprefix(PREFIX)) == 1 and token not in special
    ]
    kept = [*special, *characters]
    if len(kept) > size:
        msg = f"vocabulary must be at least {len(kept)}, its special tokens and single characters"
        raise InputError(msg)
    counts = _count(tokenizer, texts)
    rest = set(vocabulary) - set(kept)
    order = sorted(rest, key=lambda token: (-counts[vocabulary[token]], vocabulary[token]))
    kept += order[: size - len(kept)]
    old = [vocabulary[token] for token in kept]
    return _rebuilt(described, kept), old


def whole(tokenizer: Tokenizer) -> tuple[Tokenizer, list[int]]:
    """Keep all tokens; returns what `prune` does, and any other tokenizer as it is."""
    described = json.loads(tokenizer.to_str())
    vocabulary = tokenizer.get_vocab()
    if described["model"]["type"] != "WordPiece":
        return tokenizer, list(range(max(vocabulary.values()) + 1))
    kept = sorted(vocabulary, key=vocabulary.__getitem__)
    return _rebuilt(described, kept), [vocabulary[token] for token in kept]


def _count(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for chunk in _chunks(iter(texts)):
        for encoding in tokenizer.encode_batch_fast(chunk, add_special_tokens=False):
            counts.update(encoding.ids)
    return counts


def _chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(texts, CHUNK)):
        yield chunk


def _rebuilt(described: dict[str, Any], tokens: Sequence[str]) -> Tokenizer:
    ids = {token: i for i, token in enumerate(tokens)}
    special = [token for token in described["added_tokens"] if token["special"]]
    for token in special:
        token["id"] = ids[token["content"]]
    first, last = (
        {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")
    )
    post = {
        "type": "TemplateProcessing",
        "single": [_special("[CLS]", 0), _sequence("A", 0), _special("[SEP]", 0)],
        "pair": [
            _special("[CLS]", 0),
            _sequence("A", 0),
            _special("[SEP]", 0),
            _sequence("B", 1),
            _special("[SEP]", 1),
        ],
        "special_tokens": {"[CLS]": first, "[SEP]": last},
    }
    model = {**described["model"], "vocab": ids}
    changed = {"model": model, "added_tokens": special, "post_processor": post}
    limits = {"truncation": None, "padding": None}
    return Tokenizer.from_str(json.dumps({**described, **changed, **limits}))


def _special(name: str, kind: int) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": kind}}


def _sequence(name: str, kind: int) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": kind}}
