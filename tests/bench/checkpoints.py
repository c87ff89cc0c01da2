"""Checkpoints with random weights in the exact shape of the published models.

They cost no download and run at the speed of the real ones; only their scores mean nothing.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Shape = tuple[int, ...]

TURBO: dict[str, Any] = {
    "_name_or_path": "jinaai/jina-bert-implementation",
    "architectures": ["JinaBertModel"],
    "attention_probs_dropout_prob": 0.1,
    "attn_implementation": "torch",
    "auto_map": {
        "AutoConfig": "configuration_bert.JinaBertConfig",
        "AutoModel": "modeling_bert.JinaBertModel",
        "AutoModelForSequenceClassification": "modeling_bert.JinaBertForSequenceClassification",
    },
    "classifier_dropout": None,
    "emb_pooler": "mean",
    "feed_forward_type": "geglu",
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 384,
    "initializer_range": 0.02,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 8192,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 6,
    "pad_token_id": 0,
    "position_embedding_type": "alibi",
    "torch_dtype": "float16",
    "transformers_version": "4.30.2",
    "type_vocab_size": 2,
    "use_cache": True,
    "vocab_size": 61056,
}
CONFIGS = {"turbo": TURBO, "tiny": {**TURBO, "num_hidden_layers": 4}}

# How far a matrix stretches what it multiplies, by the end of its name; 1 for the others.
GAINS = {
    "self.query.weight": 1.5,  # a head weighs a few to a few hundred tokens, not one and not all
    "self.key.weight": 1.5,
    "self.value.weight": 2.0,  # what is attended outweighs the residual, so that documents differ
    "attention.output.dense.weight": 2.0,
    "classifier.weight": 5.5,  # logits of different documents: a standard deviation near 1
}


def shapes(config: Mapping[str, Any]) -> dict[str, Shape]:
    """Name every tensor of the published files and compute its shape from the config."""
    hidden = config["hidden_size"]
    table: dict[str, Shape] = {
        "bert.embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "bert.embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
        **layer_norm("bert.embeddings.LayerNorm", hidden),
    }
    for number in range(config["num_hidden_layers"]):
        table |= layer_shapes(f"bert.encoder.layer.{number}", hidden, config["intermediate_size"])
    return table | linear("bert.pooler.dense", hidden, hidden) | linear("classifier", hidden, 1)


def layer_shapes(layer: str, hidden: int, intermediate: int) -> dict[str, Shape]:
    """Return the 15 tensors of one layer; the gated projection has no bias."""
    table: dict[str, Shape] = {}
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        table |= linear(f"{layer}.attention.{name}", hidden, hidden)
    table |= layer_norm(f"{layer}.attention.output.LayerNorm", hidden)
    table[f"{layer}.mlp.gated_layers.weight"] = (2 * intermediate, hidden)
    table |= linear(f"{layer}.mlp.wo", intermediate, hidden)
    return table | layer_norm(f"{layer}.mlp.layernorm", hidden)


def linear(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    """Return the two tensors of a linear layer."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def layer_norm(name: str, width: int) -> dict[str, Shape]:
    """Return the two tensors of a layer normalisation."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def parameters(config: Mapping[str, Any]) -> int:
    """Count the parameters: 37,771,777 for turbo, 33,046,273 for tiny."""
    return sum(math.prod(shape) for shape in shapes(config).values())


def weights(config: Mapping[str, Any], *, seed: int = 0) -> dict[str, torch.Tensor]:
    """Draw every tensor in bfloat16; the same seed gives the same weights."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes(config).items():
        noise = torch.randn(shape, generator=generator)
        state[name] = (mean(name) + deviation(name, shape) * noise).to(torch.bfloat16)
    return state


def mean(name: str) -> float:
    """Return 1 for the weight of a layer normalisation, else 0."""
    return 1.0 if "layernorm.weight" in name.lower() else 0.0


def deviation(name: str, shape: Shape) -> float:
    """Return the standard deviation of the tensor's entries."""
    if len(shape) == 1:  # biases, and the weights of layer normalisations
        return 0.05
    if "embeddings" in name:
        return 1.0
    gain = next((gain for end, gain in GAINS.items() if name.endswith(end)), 1.0)
    return gain / math.sqrt(shape[1])


def write(directory: Path, *, model: str, tokenizer: Path, seed: int = 0) -> Path:
    """Write ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    Args:
        directory: Created if it does not exist.
        model: A key of `CONFIGS`.
        tokenizer: The ``tokenizer.json`` to copy.
        seed: Of the weights.

    Returns:
        The directory.
    """
    config = CONFIGS[model]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file(weights(config, seed=seed), directory / "model.safetensors", {"format": "pt"})
    shutil.copyfile(tokenizer, directory / "tokenizer.json")
    return directory
