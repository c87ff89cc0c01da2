"""Attention with symmetric ALiBi: all of it, or for long input only what is not rounded away.

Dimensions: N inputs of one length, H heads of width D, L tokens.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

from . import alibi

LONG = 2048
"""Tokens from which looking for far keys that do not count costs less than computing them."""

BLOCK = 512
"""Queries that share a range of keys."""


def attend(q: Tensor, kv: Tensor, ruler: Tensor) -> Tensor:
    """Let every token of each input read the whole input.

    Args:
        q: (N, L, H, D), the queries.
        kv: (N, L, 2, H, D), the keys and values.
        ruler: (H, 2M-1), the ALiBi biases for some M >= L.

    Returns:
        (N, L, H, D), the weighted values.
    """
    length = q.shape[1]
    q = q.transpose(1, 2)
    # Keys and values run from the last to the first: see `alibi.square`.
    k, v = kv.flip(1).permute(2, 0, 3, 1, 4)
    if length < LONG or q.device.type != "cpu" or q.requires_grad:
        bias = alibi.square(ruler, length)
        return F.scaled_dot_product_attention(q, k, v, bias).transpose(1, 2)
    return _attend_near(q, k, v, ruler)


def attend_first(q: Tensor, kv: Tensor, ruler: Tensor) -> Tensor:
    """Let the first token of each input read the whole input.

    Args:
        q: (N, 1, H, D), the queries of position 0.
        kv: (N, L, 2, H, D), the keys and values of all positions, in their order.
        ruler: (H, 2M-1), the ALiBi biases for some M >= L.

    Returns:
        (N, 1, H, D), the weighted values.
    """
    k, v = kv.permute(2, 0, 3, 1, 4)
    bias = alibi.first_row(ruler, kv.shape[1])
    return F.scaled_dot_product_attention(q.transpose(1, 2), k, v, bias).transpose(1, 2)


def _attend_near(q: Tensor, k: Tensor, v: Tensor, ruler: Tensor) -> Tensor:
    """Do what `attend` does without the keys whose weights are below the rounding error."""
    length = q.shape[2]
    context = torch.empty_like(q)
    for head, reach in enumerate(_reaches(q, k, ruler)):
        one = slice(head, head + 1)
        for start in range(0, length, BLOCK):
            stop = min(start + BLOCK, length)
            # In reverse order the keys from `start - reach` to `stop + reach` are these.
            first, last = max(0, length - stop - reach), min(length, length - start + reach)
            bias = alibi.rectangle(ruler, head, length, (start, stop), (first, last))
            context[:, one, start:stop] = F.scaled_dot_product_attention(
                q[:, one, start:stop], k[:, one, first:last], v[:, one, first:last], bias
            )
    return context.transpose(1, 2)


def _reaches(q: Tensor, k: Tensor, ruler: Tensor) -> list[int]:
    """Find for each head the distance from which keys do not count.

    A product of query and key is at most B, the largest norms multiplied and scaled. A key at
    distance d therefore weighs at most exp(2B - slope * d) times what the query's own position
    weighs. From the distance on where that is below the machine epsilon for all keys together,
    leaving them out changes less than rounding does.
    """
    length, width = q.shape[2:]
    precise = ruler.dtype
    norms = [x.to(precise).norm(dim=-1).amax((0, 2)) for x in (q, k)]
    bound = norms[0] * norms[1] / math.sqrt(width)
    slope = -ruler[:, ruler.shape[1] // 2 + 1]
    negligible = math.log(length / torch.finfo(precise).eps)
    # NaN reaches everything, so that it gets into the logits, where it is noticed.
    reach = ((2 * bound + negligible) / slope).nan_to_num(nan=length).clamp(max=length).ceil()
    return [int(tokens) for tokens in reach.tolist()]
