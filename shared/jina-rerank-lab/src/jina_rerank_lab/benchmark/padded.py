"""The model as other runtimes take it: padded batches, the published names, PyTorch's attention.

What ONNX Runtime, OpenVINO and sentence-transformers run in the benchmark is made of it.

Shapes: B sequences, L positions, H heads, C hidden width.
"""

import math
from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name every PyTorch reader knows

from . import reference
from .checkpoints import shapes


class PaddedJinaBert(nn.Module):
    """JinaBERT over right-padded batches; its parameters have the published names.

    Args:
        config: The published ``config.json``.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = dict(config)
        for name, shape in shapes(config).items():
            register(self, name, nn.Parameter(torch.zeros(shape), requires_grad=False))

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Score a batch.

        Args:
            ids: Token ids, (B, L).
            mask: 1 for a token, 0 for padding, (B, L).
            types: Token types, (B, L).

        Returns:
            One logit per row, (B,).
        """
        return logits(dict(self.named_parameters()), self.values, ids, mask, types)


def logits(
    state: reference.State, config: reference.Config, ids: Tensor, mask: Tensor, types: Tensor
) -> Tensor:
    """Score a right-padded batch; the arguments and the result are those of `PaddedJinaBert`."""
    x = reference.embed(state, config, ids, types)
    bias = reference.alibi(config["num_attention_heads"], ids.shape[1]).to(x)
    padding = (1 - mask.to(x))[:, None, None, :] * torch.finfo(x.dtype).min
    for number in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{number}"
        x = attend(state, config, layer, x, bias + padding)
        x = reference.feed_forward_block(state, config, layer, x)
    pooled = torch.tanh(reference.linear(state, "bert.pooler.dense", x[:, 0]))
    return reference.linear(state, "classifier", pooled)[:, 0]


def register(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
    """Put a parameter below a module where its dotted name says, making the modules between."""
    *path, last = name.split(".")
    reduce(child, path, module).register_parameter(last, parameter)


def child(module: nn.Module, name: str) -> nn.Module:
    """Return the module of that name, made if it is not there."""
    if name not in dict(module.named_children()):
        module.add_module(name, nn.Module())
    return module.get_submodule(name)


def attend(
    state: reference.State, config: reference.Config, layer: str, x: Tensor, bias: Tensor
) -> Tensor:
    """Attend through PyTorch's own function: (B, L, C) and a bias (B, H, L, L) to (B, L, C)."""
    heads = (config["num_attention_heads"], -1)
    q, k, v = (
        reference.linear(state, f"{layer}.attention.self.{name}", x)
        .unflatten(-1, heads)
        .transpose(1, 2)
        for name in ("query", "key", "value")
    )
    context = F.scaled_dot_product_attention(q, k, v, bias, scale=1 / math.sqrt(q.shape[-1]))
    name = f"{layer}.attention.output"
    mixed = reference.linear(state, f"{name}.dense", context.transpose(1, 2).flatten(2))
    return reference.layer_norm(state, config, f"{name}.LayerNorm", mixed + x)
