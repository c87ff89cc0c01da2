"""A BERT cross-encoder with random weights in the shape of ``ms-marco-MiniLM-L-6-v2``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jina_rerank_lab.benchmark import checkpoints, wordpiece
from jina_rerank_lab.benchmark.checkpoints import Shape, layer_norm, linear
from tokenizers import Tokenizer

MINILM: dict[str, Any] = {
    "architectures": ["BertForSequenceClassification"],
    "attention_probs_dropout_prob": 0.1,
    "classifier_dropout": None,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 384,
    "id2label": {"0": "LABEL_0"},
    "initializer_range": 0.02,
    "intermediate_size": 1536,
    "label2id": {"LABEL_0": 0},
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 6,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": wordpiece.SIZE,
}
TOKENIZER_CONFIG = {
    "do_lower_case": True,
    "model_max_length": MINILM["max_position_embeddings"],
    "tokenizer_class": "BertTokenizer",
}


def shapes(config: Mapping[str, Any]) -> dict[str, Shape]:
    """Name every tensor of a BERT with a classification head, as transformers does."""
    hidden = config["hidden_size"]
    table: dict[str, Shape] = {
        "bert.embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "bert.embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "bert.embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
        **layer_norm("bert.embeddings.LayerNorm", hidden),
    }
    for number in range(config["num_hidden_layers"]):
        table |= layer_shapes(f"bert.encoder.layer.{number}", hidden, config["intermediate_size"])
    return table | linear("bert.pooler.dense", hidden, hidden) | linear("classifier", hidden, 1)


def layer_shapes(layer: str, hidden: int, intermediate: int) -> dict[str, Shape]:
    """Return the 16 tensors of one layer."""
    table: dict[str, Shape] = {}
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        table |= linear(f"{layer}.attention.{name}", hidden, hidden)
    table |= layer_norm(f"{layer}.attention.output.LayerNorm", hidden)
    table |= linear(f"{layer}.intermediate.dense", hidden, intermediate)
    table |= linear(f"{layer}.output.dense", intermediate, hidden)
    return table | layer_norm(f"{layer}.output.LayerNorm", hidden)


def write(directory: Path, *, tokenizer: Tokenizer, seed: int = 0) -> None:
    """Write the checkpoint in float32."""
    state = checkpoints.draw(shapes(MINILM), dtype=torch.float32, seed=seed)
    checkpoints.save(directory, MINILM, state, tokenizer)
    describe_tokenizer(directory)


def describe_tokenizer(directory: Path) -> None:
    """Write what transformers needs to know of a tokenizer beside its file."""
    text = json.dumps(TOKENIZER_CONFIG, indent=2)
    (directory / "tokenizer_config.json").write_text(text, encoding="utf-8")
