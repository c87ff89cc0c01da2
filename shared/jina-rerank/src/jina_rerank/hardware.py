"""What a model computes on, in, and with: device, dtype, compiler."""

from collections.abc import Callable

import torch

from .errors import MissingDependencyError


def choose_device(asked: object) -> torch.device:
    """Return the device asked for, or the GPU if CUDA has one, else the CPU.

    Raises:
        ValueError: It is not there.
    """
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(str(asked))
        torch.empty(1, device=device).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        msg = f"device {str(asked)!r} is not available here; leave device out to use what there is"
        raise ValueError(msg) from error
    return device


def choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    """Return the dtype asked for; for `auto` bfloat16 where the hardware computes in it."""
    if asked != "auto":
        dtype: torch.dtype = getattr(torch, asked)
        return dtype
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        has = torch.cpu.get_capabilities()
        native = any(has.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def compile_now(prepare: Callable[[], object], probe: Callable[[], object]) -> None:
    """Have torch compile a model, and run it once: torch finds out only then what it lacks.

    Args:
        prepare: Tells torch what to compile.
        probe: Runs the model.

    Raises:
        MissingDependencyError: There is no C++ compiler.
    """
    try:
        prepare()
        probe()
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        msg = (
            f"compile=True failed ({type(error).__name__}: {reason}); it needs a C++ compiler: "
            f"install g++ or leave compile out"
        )
        raise MissingDependencyError(msg) from error
