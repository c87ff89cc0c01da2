"""The model on one screen: embeddings, layers, pooler, one score. Nothing is padded.

Dimensions: N inputs with T tokens in all, L tokens in one of them; H heads of width D, C = H * D;
I the width of the gated linear unit.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor, nn

from . import alibi, attention
from .batching import Group
from .config import JinaBertConfig
from .rows import extended, padded

ROWS = 2048
"""Tokens that go through a gated linear unit at once, which bounds its (tokens, 2I) result."""


class JinaBert(nn.Module):
    """JinaBERT cross-encoder: token ids of query-document pairs in, one logit per pair out.

    The inputs of a batch are laid end to end, so that the linear layers see one matrix of all
    tokens and none of padding. The last layer is computed for position 0 alone, since only its
    output is read; the result is the same. The head's weights may be wider than the others: in
    bfloat16, logits between 2 and 4 would differ by 1/64 or not at all, and documents would tie.
    """

    def __init__(self, config: JinaBertConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.words = nn.Embedding(config.vocab_size, width)
        self.types = nn.Embedding(config.type_vocab_size, width)
        self.norm = nn.LayerNorm(width, eps)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, 1)

    def forward(self, ids: Tensor, types: Tensor, groups: Sequence[Group]) -> Tensor:
        """Score a batch.

        Args:
            ids: (T,) int64, the token ids of all inputs, end to end.
            types: (T,) int64, their token types.
            groups: The lengths of the inputs, in their order.

        Returns:
            (N,) logits, in the order of the inputs.
        """
        x, ruler = self._embed(ids, types, groups)
        *layers, last = self.stack()
        for layer in layers:
            x = layer(x, ruler, groups)
        return self._score(last.first(x, ruler, groups), groups)

    def states(
        self, ids: Tensor, types: Tensor, groups: Sequence[Group], depth: int | None = None
    ) -> Tensor:
        """Return what the first `depth` layers make of every token, (T, C); None is all layers."""
        x, ruler = self._embed(ids, types, groups)
        for layer in self.stack()[:depth]:
            x = layer(x, ruler, groups)
        return x[: len(ids)]

    def stack(self) -> "list[Layer]":
        """Return the layers."""
        return cast("list[Layer]", list(self.layers))

    def compile_layers(self) -> None:
        """Compile what has no data-dependent shape: the feed-forward part of each layer."""
        for layer in self.stack():
            compiled = torch.compile(layer.feed_forward_rows, dynamic=True)
            layer.feed_forward_rows = compiled  # type: ignore[method-assign] # same signature

    def _embed(self, ids: Tensor, types: Tensor, groups: Sequence[Group]) -> tuple[Tensor, Tensor]:
        """Return what the first layer reads, (T, C) with rows of padding, and the ALiBi biases."""
        x = padded(self.norm(self.words(ids) + self.types(types)))
        return x, self._ruler(max(group.length for group in groups), x)

    def _score(self, first: Tensor, groups: Sequence[Group]) -> Tensor:
        """Turn the last states of the first tokens, (N, C) with rows of padding, into (N,) logits."""
        pooled = torch.tanh(self.pooler(first.to(self.pooler.weight.dtype)))
        logits: Tensor = self.classifier(pooled)
        return logits.squeeze(1)[: sum(group.count for group in groups)]

    def _ruler(self, longest: int, x: Tensor) -> Tensor:
        """Return the ALiBi biases, (H, 2 * longest - 1)."""
        # CPU kernels take a more precise bias than the values, CUDA's want them alike.
        precise = torch.promote_types(x.dtype, torch.float32)
        slope = torch.tensor(alibi.slopes(self.heads), dtype=precise, device=x.device)
        ruler = alibi.ruler(slope, longest)
        return ruler if x.device.type == "cpu" else ruler.to(x.dtype)


class Layer(nn.Module):
    """A post-norm transformer layer: attention with ALiBi, then a gated linear unit.

    Behind the rows of tokens there may be rows of padding (see `rows`), which no token reads.
    """

    def __init__(self, config: JinaBertConfig) -> None:
        super().__init__()
        width, inner, eps = config.hidden_size, config.intermediate_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps)
        self.gated = nn.Linear(width, 2 * inner, bias=False)
        self.activation = F.gelu if config.feed_forward_type == "geglu" else F.relu
        self.output = nn.Linear(inner, width)
        self.output_norm = nn.LayerNorm(width, eps)

    def forward(self, x: Tensor, ruler: Tensor, groups: Sequence[Group]) -> Tensor:
        """Transform every token: (T, C) to (T, C)."""
        return self.feed_forward(x, self.attend(x, ruler, groups))

    def first(self, x: Tensor, ruler: Tensor, groups: Sequence[Group]) -> Tensor:
        """Transform the first token of each input alone: (T, C) to (N, C)."""
        starts = _starts(groups, x.device)
        firsts = padded(x[starts])
        return self.feed_forward(firsts, self.attend_first(x, firsts, ruler, groups))

    def attend(self, x: Tensor, ruler: Tensor, groups: Sequence[Group]) -> Tensor:
        """Let every token read its own input: (T, C) to (T, C)."""
        tokens = [group.tokens for group in groups]
        parts = self.qkv(x)[: sum(tokens)].split(tokens)
        contexts = []
        for group, part in zip(groups, parts, strict=True):
            qkv = part.view(group.count, group.length, 3, self.heads, -1)
            contexts.append(self.attend_group(qkv, ruler).reshape(group.tokens, -1))
        return extended(torch.cat(contexts), len(x))

    def attend_group(self, qkv: Tensor, ruler: Tensor) -> Tensor:
        """Attend in inputs of one length: (N, L, 3, H, D) to (N, L, H, D)."""
        q, kv = qkv.split([1, 2], dim=2)
        return attention.attend(q.squeeze(2), kv, ruler)

    def attend_first(
        self, x: Tensor, firsts: Tensor, ruler: Tensor, groups: Sequence[Group]
    ) -> Tensor:
        """Let the first token of each input read it: (T, C) and its (N, C) first ones to (N, C)."""
        width = x.shape[1]
        q_weight, kv_weight = self.qkv.weight.split([width, 2 * width])
        q_bias, kv_bias = self.qkv.bias.split([width, 2 * width])
        counts, tokens = [group.count for group in groups], [group.tokens for group in groups]
        queries = F.linear(firsts, q_weight, q_bias)[: sum(counts)].split(counts)
        parts = F.linear(x, kv_weight, kv_bias)[: sum(tokens)].split(tokens)
        contexts = []
        for group, query, part in zip(groups, queries, parts, strict=True):
            kv = part.view(group.count, group.length, 2, self.heads, -1)
            q = query.view(group.count, 1, self.heads, -1)
            contexts.append(attention.attend_first(q, kv, ruler).reshape(group.count, width))
        return extended(torch.cat(contexts), len(firsts))

    def feed_forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Add the attention's context (T, C) to x (T, C) and apply the gated linear unit."""
        parts = zip(x.split(ROWS), context.split(ROWS), strict=True)
        return torch.cat([self.feed_forward_rows(*part) for part in parts])

    def feed_forward_rows(self, x: Tensor, context: Tensor) -> Tensor:
        """Do what `feed_forward` does for a few tokens."""
        x = self.attention_norm(self.attended(context) + x)
        gate, value = self.gated(x).chunk(2, dim=1)
        normed: Tensor = self.output_norm(self.output(self.activation(gate) * value) + x)
        return normed


def _starts(groups: Sequence[Group], device: torch.device) -> Tensor:
    """Return the place of each input's first token, (N,)."""
    lengths = [group.length for group in groups for _ in range(group.count)]
    ends = torch.tensor(lengths).cumsum(0)
    return (ends - torch.tensor(lengths)).to(device)
