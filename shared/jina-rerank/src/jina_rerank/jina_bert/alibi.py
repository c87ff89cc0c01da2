"""Symmetric ALiBi: attention loses a head's slope for each token of distance, either way.

"Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation" (Press,
Smith, Lewis 2022); symmetric as in "Jina Embeddings 2" (Guenther et al. 2023, section 4.1).
"""

import torch
from torch import Tensor


def slopes(heads: int) -> list[float]:
    """Return each head's slope, in the order of the checkpoints' heads, which is not sorted.

    A power of two p gives 2^(-8/p), 2^(-16/p), ..., 2^-8. Any other count starts with those of the
    next lower power of two and goes on with every second slope of the next higher one.

    >>> slopes(3)
    [0.0625, 0.00390625, 0.25]
    """
    power = 1 << (heads.bit_length() - 1)
    even = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    return even + [2 ** (-8 * (2 * i + 1) / (2 * power)) for i in range(heads - power)]


def ruler(slope: Tensor, longest: int) -> Tensor:
    """Lay out all the biases that inputs of up to `longest` tokens need, once.

    Args:
        slope: (H,), the heads' slopes.
        longest: L, the longest input in tokens.

    Returns:
        (H, 2L-1), minus slope times distance, for the distances L-1, ..., 1, 0, 1, ..., L-1.
    """
    distance = torch.arange(1 - longest, longest, device=slope.device, dtype=slope.dtype).abs_()
    return slope[:, None] * -distance


def square(ruler: Tensor, length: int) -> Tensor:
    """View the ruler as the bias of every query for every key, without copying it.

    Row i of a bias is the ruler from its centre minus i: each row starts one place before the one
    above. A view cannot step backwards, so the keys have to be given in reverse: with keys from
    the last to the first, row i starts one place after the row above. Memory is O(L), where the
    reference implementation builds a table of H x 8192 x 8192 numbers, 3.2 GB.

    Args:
        ruler: (H, 2L-1), from `ruler`.
        length: T, the tokens of the input, at most L.

    Returns:
        (1, H, T, T): at [0, h, i, j] minus slope h times the distance of position i and position
        T-1-j.
    """
    heads, width = ruler.shape
    centre = width // 2
    return ruler.as_strided((1, heads, length, length), (0, width, 1, 1), centre + 1 - length)


def rectangle(
    ruler: Tensor, head: int, length: int, queries: tuple[int, int], keys: tuple[int, int]
) -> Tensor:
    """View the ruler as a part of one head's `square`.

    Args:
        ruler: (H, 2L-1), from `ruler`.
        head: Which head.
        length: T, the tokens of the input, at most L.
        queries: Start and end of the rows.
        keys: Start and end of the columns; keys are in reverse order.

    Returns:
        (rows, columns), the values of ``square(ruler, length)[0, head]`` there.
    """
    width = ruler.shape[1]
    offset = head * width + width // 2 + 1 - length + queries[0] + keys[0]
    return ruler.as_strided((queries[1] - queries[0], keys[1] - keys[0]), (1, 1), offset)


def first_row(ruler: Tensor, length: int) -> Tensor:
    """View the ruler as the bias of position 0 for every key, keys in their own order.

    Args:
        ruler: (H, 2L-1), from `ruler`.
        length: T, the tokens of the input, at most L.

    Returns:
        (1, H, 1, T): at [0, h, 0, j] minus slope h times j.
    """
    centre = ruler.shape[1] // 2
    return ruler[None, :, None, centre : centre + length]
