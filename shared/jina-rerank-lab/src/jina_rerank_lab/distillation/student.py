"""The engine's JinaBERT, made fast to train.

Dimensions: N inputs of one length, H heads of width D, L tokens; T tokens in all, C = H * D.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jina_rerank.jina_bert.batching import Group
from jina_rerank.jina_bert.config import JinaBertConfig
from jina_rerank.jina_bert.model import JinaBert, Layer


class Student(JinaBert):
    """JinaBERT with the same results, whose attention is cheaper to differentiate.

    It has one part more, `probe`, that helps to train the others and is not saved with them: see
    `StagePart.probe`.

    The backward pass of `scaled_dot_product_attention` with a bias costs more on a CPU than that of
    two products and a softmax: at inputs of 40 to 256 tokens, training with the latter is 1.4 to
    1.6 times as fast. Memory grows with the square of the length, which short inputs do not feel.

    >>> config = JinaBertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=2,
    ...     num_attention_heads=2, intermediate_size=16, feed_forward_type="geglu")
    >>> Student(config)(torch.tensor([1, 2]), torch.tensor([0, 1]), [Group(1, 2)]).shape
    torch.Size([1])
    """

    def __init__(self, config: JinaBertConfig) -> None:
        super().__init__(config)
        self.config = config
        self.layers = nn.ModuleList(StudentLayer(config) for _ in range(config.num_hidden_layers))
        self.probe = nn.Linear(config.hidden_size, 1)

    def scored_states(
        self, ids: Tensor, types: Tensor, groups: Sequence[Group]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the logits, (N,), and what every layer but the last makes of the tokens, (T, C)."""
        x, ruler = self._embed(ids, types, groups)
        *layers, last = self.stack()
        states = []
        for layer in layers:
            x = layer(x, ruler, groups)
            states.append(x[: len(ids)])
        return self._score(last.first(x, ruler, groups), groups), states

    def _score(self, first: Tensor, groups: Sequence[Group]) -> Tensor:
        """Compute in the precision of the head's weights, under autocast too: see `JinaBert`."""
        with torch.autocast(first.device.type, enabled=False):
            return super()._score(first, groups)


class StudentLayer(Layer):
    """A layer of the student."""

    def attend_group(self, qkv: Tensor, ruler: Tensor) -> Tensor:
        """Attend with symmetric ALiBi: (N, L, 3, H, D) and (H, 2M-1) to (N, L, H, D)."""
        length, width = qkv.shape[1], qkv.shape[-1]
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        place = torch.arange(length, device=qkv.device)
        bias = ruler[:, ruler.shape[1] // 2 + (place[:, None] - place)]
        weights = (q * (1 / math.sqrt(width)) @ k.transpose(2, 3) + bias.to(q.dtype)).softmax(3)
        context: Tensor = weights @ v
        return context.transpose(1, 2)

    def feed_forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Do it for all tokens at once: the backward pass needs every result anyway."""
        return self.feed_forward_rows(x, context)
