"""JinaBERT's forward pass in its plainest form: what speed and exactness are measured against.

Written from the specification of the published models. It takes no short cut: right-padded
batches in the given order, every position in every layer, the attention scores and the ALiBi
bias as full matrices. The weights decide the precision: a float64 state gives a float64 oracle.

Shapes: B sequences, L positions, H heads, D head width, C hidden width, I intermediate width.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name every PyTorch reader knows

State = Mapping[str, Tensor]
Config = Mapping[str, Any]

BATCH_SIZE = 32
PAD_ID = 1  # masked, so that any id, and any type, gives the same logits
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "geglu": F.gelu,  # the exact (erf) one
    "reglu": F.relu,
}


def logits(
    state: State,
    config: Config,
    sequences: Sequence[Sequence[int]],
    types: Sequence[Sequence[int]] | None = None,
    *,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Score token sequences in the given order, a right-padded batch at a time.

    Args:
        state: The published tensor names, ``bert.`` included, all in one floating-point type.
        config: The published ``config.json``.
        sequences: At least one sequence of token ids, special tokens included.
        types: The token types of each; the default is type 0 everywhere.
        batch_size: Sequences that are padded together.

    Returns:
        One logit per sequence, (N,).
    """
    types = [[0] * len(sequence) for sequence in sequences] if types is None else types
    device = next(iter(state.values())).device
    batches = [slice(at, at + batch_size) for at in range(0, len(sequences), batch_size)]
    with torch.inference_mode():
        return torch.cat(
            [
                padded_logits(
                    state,
                    config,
                    *(part.to(device) for part in (*pad(sequences[batch]), pad(types[batch])[0])),
                )
                for batch in batches
            ]
        )


def padded_logits(
    state: State, config: Config, ids: Tensor, mask: Tensor, token_type_ids: Tensor | None = None
) -> Tensor:
    """Score one right-padded batch.

    Args:
        state: As in `logits`.
        config: As in `logits`.
        ids: Token ids, (B, L).
        mask: 1 for a token, 0 for padding, (B, L).
        token_type_ids: (B, L); the default is type 0 everywhere.

    Returns:
        One logit per row, (B,).
    """
    x = embed(state, config, ids, token_type_ids)
    bias = alibi(config["num_attention_heads"], ids.shape[1]).to(x)
    padding = (1 - mask.to(x.dtype))[:, None, None, :] * torch.finfo(x.dtype).min
    for number in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{number}"
        x = attention_block(state, config, layer, x, bias, padding)
        x = feed_forward_block(state, config, layer, x)
    pooled = torch.tanh(linear(state, "bert.pooler.dense", x[:, 0]))
    return linear(state, "classifier", pooled)[:, 0]


def pad(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pad on the right to the longest sequence: the ids and their mask, both (B, L)."""
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), PAD_ID)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
    return ids, mask


def cast(state: State, dtype: torch.dtype, device: str = "cpu") -> dict[str, Tensor]:
    """Convert every tensor; the models are published in bfloat16 and scored in float32."""
    return {name: tensor.to(device, dtype) for name, tensor in state.items()}


def slopes(heads: int) -> Tensor:
    """Return the ALiBi slope of each head, float32, (H,).

    Heads up to the largest power of two below take 2^-(8/p), 2^-(16/p), ...; the rest take every
    second slope of twice as many heads, and follow unsorted (Press et al. 2022, reference code).
    """
    power = 2 ** int(math.log2(heads))
    first = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    rest = [2 ** (-4 * (2 * j + 1) / power) for j in range(heads - power)]
    return torch.tensor(first + rest)


def alibi(heads: int, length: int) -> Tensor:
    """Return the bias -slope * |i - j| as a full float32 matrix, (1, H, L, L)."""
    position = torch.arange(length)
    distance = (position[None, :] - position[:, None]).abs()
    return -slopes(heads)[None, :, None, None] * distance


def embed(state: State, config: Config, ids: Tensor, token_type_ids: Tensor | None) -> Tensor:
    """Look up words and token types, without any position embedding: (B, L) -> (B, L, C)."""
    types = torch.zeros_like(ids) if token_type_ids is None else token_type_ids
    words = F.embedding(ids, state["bert.embeddings.word_embeddings.weight"])
    x = words + F.embedding(types, state["bert.embeddings.token_type_embeddings.weight"])
    return layer_norm(state, config, "bert.embeddings.LayerNorm", x)


def attention_block(  # noqa: PLR0913, PLR0917 - the six are what one layer of attention needs
    state: State, config: Config, layer: str, x: Tensor, bias: Tensor, padding: Tensor
) -> Tensor:
    """Attend eagerly, add the residual, normalise: (B, L, C) -> (B, L, C).

    Only the dot product is divided by sqrt(D), not the bias, (1, H, L, L). `padding`,
    (B, 1, 1, L), is the lowest number of the type where a key is padding, else 0.
    """
    heads = (config["num_attention_heads"], -1)
    q, k, v = (
        linear(state, f"{layer}.attention.self.{name}", x).unflatten(-1, heads).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    context = torch.softmax(scores + bias + padding, dim=-1) @ v
    mixed = linear(state, f"{layer}.attention.output.dense", context.transpose(1, 2).flatten(2))
    return layer_norm(state, config, f"{layer}.attention.output.LayerNorm", mixed + x)


def feed_forward_block(state: State, config: Config, layer: str, x: Tensor) -> Tensor:
    """Apply the gated linear unit, add the residual, normalise: (B, L, C) -> (B, L, C).

    The first I columns of the gated projection are activated, the last I multiply them.
    """
    activation = ACTIVATIONS[config["feed_forward_type"]]
    activated, gate = F.linear(x, state[f"{layer}.mlp.gated_layers.weight"]).chunk(2, dim=-1)
    out = linear(state, f"{layer}.mlp.wo", activation(activated) * gate)
    return layer_norm(state, config, f"{layer}.mlp.layernorm", out + x)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    """Apply the named weight and bias: (..., in) -> (..., out)."""
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def layer_norm(state: State, config: Config, name: str, x: Tensor) -> Tensor:
    """Normalise the last dimension with the named weight and bias: (..., C) -> (..., C)."""
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return F.layer_norm(x, weight.shape, weight, bias, config["layer_norm_eps"])
