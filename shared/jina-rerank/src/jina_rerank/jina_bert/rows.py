"""How many rows a matrix has that goes through a linear layer: few different numbers.

oneDNN, which multiplies in bfloat16 and float16 on CPUs, compiles code for every new number of rows
and keeps it, about 0.7 MB each: a process that scores for days would grow by gigabytes, and compile
all the time. So matrices get rows of zeros up to the next of some 80 sizes below 8,192.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

LEAST = 32
"""Rows that are as fast as one."""


def padded(x: Tensor) -> Tensor:
    """Add rows of zeros to (T, C) where it saves memory and time: on CPUs, in half precision."""
    if x.device.type != "cpu" or _multiplied(x).itemsize > 2:  # noqa: PLR2004 - bytes
        return x
    return extended(x, rounded(len(x)))


def _multiplied(x: Tensor) -> torch.dtype:
    """Return what a linear layer computes in: under autocast, layer norm's results are wider."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def extended(x: Tensor, rows: int) -> Tensor:
    """Add rows of zeros to (T, C), up to a number of rows; with that many already it is not copied."""
    missing = rows - len(x)
    return F.pad(x, (0, 0, 0, missing)) if missing else x


def rounded(rows: int) -> int:
    """Round up to a multiple of 32 or, if that is more, of a power of two that adds 6 % at most.

    >>> [rounded(rows) for rows in (1, 33, 600, 1025, 8000)]
    [32, 64, 608, 1088, 8192]
    """
    step = max(LEAST, 1 << max(rows.bit_length() - 5, 0))
    return -(-rows // step) * step
