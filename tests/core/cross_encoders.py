"""Small cross-encoders with random weights, one of each family, as transformers saves them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "The quick brown fox jumps over the lazy dog; a cat sits on a mat.",
    "Mars is a red planet: its soil is full of iron rust, 0 1 2 3 4 5 6 7 8 9.",
    "Bread rises because yeast makes gas, and Zürich is a naïve question?",
]
CONTEXT = 64
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_labels": 1,
    "initializer_range": 0.5,  # so that texts differ by more than rounding
}
DEBERTA: dict[str, Any] = {  # as in mxbai-rerank-base-v1 and -xsmall-v1
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "type_vocab_size": 0,
}
BERT_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
ROBERTA_TOKENS = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def word_pieces() -> Tokenizer:
    """BERT's tokenizer."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = list(BERT_TOKENS.values())
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = bert_template(tokenizer)
    return tokenizer


def bytes_in_pairs() -> Tokenizer:
    """RoBERTa's tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(ROBERTA_TOKENS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = roberta_template(tokenizer)
    return tokenizer


def unigrams(
    tokens: dict[str, str], template: Callable[[Tokenizer], processors.PostProcessor]
) -> Tokenizer:
    """The tokenizer of XLM-R and of DeBERTa-v2, which differ in special tokens and template."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120,
        special_tokens=list(tokens.values()),
        unk_token=tokens["unk_token"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = template(tokenizer)
    return tokenizer


def bert_template(tokenizer: Tokenizer) -> processors.PostProcessor:
    """``[CLS] query [SEP] document [SEP]``, types 0 and 1."""
    return processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )


def roberta_template(tokenizer: Tokenizer) -> processors.PostProcessor:
    """``<s> query </s></s> document </s>``, type 0."""
    ids = tokenizer.get_vocab()
    end, start = (("</s>", ids["</s>"]), ("<s>", ids["<s>"]))
    return processors.RobertaProcessing(end, start, add_prefix_space=False)


def bert(directory: Path) -> Path:
    """ms-marco-MiniLM, and most others."""
    tokenizer = word_pieces()
    config = transformers.BertConfig(**SIZES, **vocabulary(tokenizer), **positions(0))
    return save(
        directory,
        transformers.BertForSequenceClassification,
        config,
        tokenizer,
        tokenizer_class="BertTokenizer",
        **BERT_TOKENS,
    )


def roberta(directory: Path) -> Path:
    """Cross-encoders after RoBERTa."""
    tokenizer = bytes_in_pairs()
    config = transformers.RobertaConfig(
        **SIZES, **vocabulary(tokenizer), **positions(2), type_vocab_size=1
    )
    model = transformers.RobertaForSequenceClassification
    return save(directory, model, config, tokenizer, **ROBERTA_TOKENS)


def xlm_roberta(directory: Path) -> Path:
    """bge-reranker-base and -v2-m3."""
    tokenizer = unigrams(ROBERTA_TOKENS, roberta_template)
    config = transformers.XLMRobertaConfig(
        **SIZES, **vocabulary(tokenizer), **positions(2), type_vocab_size=1
    )
    model = transformers.XLMRobertaForSequenceClassification
    return save(directory, model, config, tokenizer, **ROBERTA_TOKENS)


def deberta_v2(directory: Path) -> Path:
    """mxbai-rerank-base-v1 and -xsmall-v1."""
    tokenizer = unigrams(BERT_TOKENS, bert_template)
    config = transformers.DebertaV2Config(
        **SIZES, **DEBERTA, **vocabulary(tokenizer), **positions(0)
    )
    model = transformers.DebertaV2ForSequenceClassification
    return save(directory, model, config, tokenizer, **BERT_TOKENS)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "bert": bert,
    "roberta": roberta,
    "xlm-roberta": xlm_roberta,
    "deberta-v2": deberta_v2,
}


def vocabulary(tokenizer: Tokenizer) -> dict[str, Any]:
    """The config's keys that follow from a tokenizer."""
    padding = next(filter(None, map(tokenizer.get_vocab().get, ("[PAD]", "<pad>"))), 0)
    return {"vocab_size": tokenizer.get_vocab_size(), "pad_token_id": padding}


def positions(before: int) -> dict[str, Any]:
    """Rows of positions; RoBERTa and its like start to count behind those of the padding."""
    return {"max_position_embeddings": CONTEXT + before}


def save(directory: Path, kind: Any, config: Any, tokenizer: Tokenizer, **described: str) -> Path:
    """Write a whole checkpoint."""
    torch.manual_seed(0)
    kind(config).save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    described = {"tokenizer_class": "PreTrainedTokenizerFast", **described}
    text = json.dumps({"model_max_length": CONTEXT, **described})
    (directory / "tokenizer_config.json").write_text(text, encoding="utf-8")
    return directory
