"""A WordPiece tokenizer in the size of BERT's, made of given words.

BERT's own vocabulary is a download; this one costs as much to run on text of its own words, and
gives two models the same number of tokens for the same text.
"""

import string
from collections.abc import Sequence
from itertools import islice, product

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

SIZE = 30522
INVENTED = 20_000
ONSETS, VOWELS = "bdfgklmnprstvz", "aeiou"
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation


def invented_words(count: int = INVENTED) -> list[str]:
    """Make up words of three syllables, the same ones in every run.

    >>> invented_words(3)
    ['bababa', 'bababe', 'bababi']
    """
    syllables = [onset + vowel for onset, vowel in product(ONSETS, VOWELS)]
    return ["".join(word) for word in islice(product(syllables, repeat=3), count)]


def build(words: Sequence[str], *, size: int = SIZE) -> Tokenizer:
    """Return a tokenizer that gives ``[CLS] query [SEP] document [SEP]``, the document of type 1.

    Args:
        words: Lower-case words that become one token each, as far as `size` reaches. Any other
            text falls to single characters.
        size: Tokens in all; BERT's unless a test says otherwise.
    """
    pieces = [*SPECIALS, *CHARACTERS, *(f"##{character}" for character in CHARACTERS), *words]
    names = list(dict.fromkeys(pieces))[:size]
    names += [f"[unused{number}]" for number in range(size - len(names))]
    vocabulary = {name: at for at, name in enumerate(names)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no secret
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    separator, start = (("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.post_processor = processors.BertProcessing(separator, start)
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer
