"""Checkpoints with random weights in the exact shape of the published models.

They cost no download and run at the speed of the real ones; only their scores mean nothing.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

Shape = tuple[int, ...]

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"

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
TINY = {**TURBO, "num_hidden_layers": 4}
BASE = {  # the vocabulary is BERT's 30,522 pieces and 6 unused rows
    **TURBO,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "vocab_size": 30528,
}
CONFIGS = {"tiny": TINY, "turbo": TURBO, "base": BASE}

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


def parameters(table: Mapping[str, Shape]) -> int:
    """Count the parameters of `shapes`: 33,046,273 for tiny, 37,771,777 for turbo."""
    return sum(math.prod(shape) for shape in table.values())


def draw(
    table: Mapping[str, Shape], *, dtype: torch.dtype = torch.bfloat16, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Draw every tensor; the same seed gives the same weights."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in table.items():
        noise = torch.randn(shape, generator=generator)
        state[name] = (mean(name) + deviation(name, shape) * noise).to(dtype)
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


def write(directory: Path, *, model: str, tokenizer: Tokenizer, seed: int = 0) -> None:
    """Write a checkpoint of a model of `CONFIGS`, stored in bfloat16 as the published ones are."""
    config = CONFIGS[model]
    save(directory, config, draw(shapes(config), seed=seed), tokenizer)


def save(
    directory: Path,
    config: Mapping[str, Any],
    state: Mapping[str, torch.Tensor],
    tokenizer: Tokenizer,
) -> None:
    """Write ``config.json``, ``model.safetensors`` and ``tokenizer.json`` into a new directory."""
    directory.mkdir(parents=True)
    (directory / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file(dict(state), directory / WEIGHTS, {"format": "pt"})
    tokenizer.save(str(directory / TOKENIZER))
