"""A WordPiece tokenizer in the size of BERT's, made of given words.

BERT's own vocabulary is a download; this one costs as much to run on text of its own words, and
gives two models the same number of tokens for the same text.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

SIZE = 30522
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation


def build(words: Sequence[str]) -> Tokenizer:
    """Return a tokenizer that gives ``[CLS] query [SEP] document [SEP]``, the document of type 1.

    Args:
        words: Lower-case words that become one token each, as far as `SIZE` reaches. Any other
            text falls to single characters.
    """
    pieces = [*SPECIALS, *CHARACTERS, *(f"##{character}" for character in CHARACTERS), *words]
    names = list(dict.fromkeys(pieces))[:SIZE]
    names += [f"[unused{number}]" for number in range(SIZE - len(names))]
    vocabulary = {name: at for at, name in enumerate(names)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    separator, start = (("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.post_processor = processors.BertProcessing(separator, start)
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer
