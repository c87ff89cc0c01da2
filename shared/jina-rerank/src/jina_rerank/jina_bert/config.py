"""The part of a checkpoint's config.json that the model depends on, checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ..errors import CheckpointError

GATED = ("geglu", "reglu")


@dataclass(frozen=True, slots=True, kw_only=True)
class JinaBertConfig:
    """Shapes and constants of a JinaBERT cross-encoder; the fields are config.json's.

    Attributes:
        vocab_size: Rows of the word embedding; may exceed the tokenizer's vocabulary.
        hidden_size: C, the width of a token.
        num_hidden_layers: Transformer layers.
        num_attention_heads: H; divides `hidden_size`, need not be a power of two.
        intermediate_size: Width of the gated linear unit.
        feed_forward_type: `geglu` or `reglu`: what activates the gate.
        layer_norm_eps: Epsilon of every layer norm.
        max_position_embeddings: The context in tokens. ALiBi itself has no limit.
        type_vocab_size: Rows of the token type embedding.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    feed_forward_type: str
    layer_norm_eps: float = 1e-12
    max_position_embeddings: int = 8192
    type_vocab_size: int = 2

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Self:
        """Read config.json's values; `where` names the checkpoint in messages.

        Raises:
            CheckpointError: The checkpoint is not a JinaBERT cross-encoder with one score; the
                message lists every reason.
        """
        reasons = _objections(values)
        if reasons:
            use = "use turbo, tiny, nano or another JinaBERT checkpoint with one score"
            msg = f"{where} is not a JinaBERT reranker: {'; '.join(reasons)}; {use}"
            raise CheckpointError(msg)
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


def read_config(path: Path) -> dict[str, Any]:
    """Read a config.json.

    Raises:
        CheckpointError: It is not a JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        msg = f"{str(path)!r} is not valid JSON: {error}"
        raise CheckpointError(msg) from error
    if not isinstance(values, dict):
        msg = f"{str(path)!r} is not a JSON object"
        raise CheckpointError(msg)
    return values


def is_jina_bert(values: Mapping[str, Any]) -> bool:
    """Tell JinaBERT from other BERTs, which its config.json claims to be: its positions are ALiBi."""
    return values.get("position_embedding_type") == "alibi"


def _objections(values: Mapping[str, Any]) -> list[str]:
    """List what speaks against running a config as a JinaBERT cross-encoder."""
    if not is_jina_bert(values):
        kind, position = values.get("model_type"), values.get("position_embedding_type")
        return [f"model_type {kind!r} with position_embedding_type {position!r}, not 'alibi'"]
    reasons = []
    feed_forward = values.get("feed_forward_type")
    if feed_forward not in GATED:
        reasons.append(f"feed_forward_type is {feed_forward!r}, not {' or '.join(GATED)}")
    # Hugging Face writes the number of labels as the size of id2label, and leaves 2 out. The
    # published configs have neither, though their classifier has one row: absent means 1.
    names = values.get("id2label")
    if names is not None and not isinstance(names, dict):
        reasons.append(f"id2label is {names!r}, not an object")
        names = None
    labels = values.get("num_labels", len(names or (None,)))
    if labels != 1:
        reasons.append(f"num_labels is {labels!r}, not 1")
    counts = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
    optional = {"max_position_embeddings": 8192, "type_vocab_size": 2}
    for name in (*counts, "intermediate_size", *optional):
        value = values.get(name, optional.get(name))
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            reasons.append(f"{name} is {value!r}, not a positive integer")
    eps = values.get("layer_norm_eps", 1e-12)
    if not isinstance(eps, float) or not eps > 0:
        reasons.append(f"layer_norm_eps is {eps!r}, not a positive number")
    if not reasons and values["hidden_size"] % values["num_attention_heads"]:
        reasons.append("hidden_size is not a multiple of num_attention_heads")
    return reasons
