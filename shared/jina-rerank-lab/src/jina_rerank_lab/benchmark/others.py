"""Other published rerankers as shapes: random weights in their exact size, through transformers.

Sizes: the config.json of each model's repository.
"""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from .checkpoints import CONFIG, TOKENIZER

BERT: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 384,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
DEBERTA: dict[str, Any] = {
    "model_type": "deberta-v2",
    "max_position_embeddings": 512,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "num_hidden_layers": 12,
    "pooler_hidden_act": "gelu",
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "position_buckets": 256,
    "relative_attention": True,
    "share_att_key": True,
    "type_vocab_size": 0,
    "vocab_size": 128100,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "minilm-l4": {**BERT, "num_hidden_layers": 4},
    "minilm-l6": {**BERT, "num_hidden_layers": 6},
    "bge-base": {
        "model_type": "xlm-roberta",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "max_position_embeddings": 514,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "type_vocab_size": 1,
        "vocab_size": 250002,
    },
    "mxbai-xsmall": {
        **DEBERTA,
        "hidden_size": 384,
        "intermediate_size": 1536,
        "num_attention_heads": 6,
        "pooler_hidden_size": 384,
    },
    "mxbai-base": {
        **DEBERTA,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "pooler_hidden_size": 768,
    },
}
"""By the names of `published.Published.shape`."""

TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_input_names": ["input_ids", "attention_mask", "token_type_ids"],
    "model_max_length": 512,
    "pad_token": "[PAD]",
}
CONTEXT = 512


def write(
    directory: Path, *, model: str, tokenizer: Tokenizer, seed: int = 0, **changes: object
) -> None:
    """Write a checkpoint of one of `CONFIGS` in float32.

    Args:
        directory: A new one.
        model: Which.
        tokenizer: Its ids have to be below `vocab_size`; id 0 is padding.
        seed: Of the weights.
        changes: To the config: a test makes it smaller.
    """
    import torch  # noqa: PLC0415
    from transformers import AutoConfig, AutoModelForSequenceClassification  # noqa: PLC0415 - slow
    from transformers.utils import logging  # noqa: PLC0415

    values = {**CONFIGS[model], "pad_token_id": 0, "num_labels": 1, **changes}
    logging.disable_progress_bar()  # of files that are written in no time
    config = AutoConfig.for_model(**values)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = AutoModelForSequenceClassification.from_config(config)
    made.save_pretrained(directory)
    tokenizer.save(str(directory / TOKENIZER))
    described = json.dumps(TOKENIZER_CONFIG)
    (directory / "tokenizer_config.json").write_text(described, encoding="utf-8")
    stored = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    stored["id2label"] = {"0": "LABEL_0"}
    (directory / CONFIG).write_text(json.dumps(stored), encoding="utf-8")
