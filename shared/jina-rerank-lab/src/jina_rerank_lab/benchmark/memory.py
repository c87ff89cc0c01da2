"""The memory of the running process, or of its GPU: what is held, and the most that was."""

import contextlib
import resource
from pathlib import Path

import torch

from ..machine import kibibytes

STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): sets the peak resident set size to the current one
CGROUP = Path("/sys/fs/cgroup")


def available(cgroup: Path = CGROUP) -> int:
    """Return the bytes that can be taken without swapping, within the control group's limit."""
    free = kibibytes(MEMINFO, "MemAvailable")
    with contextlib.suppress(OSError, ValueError):  # no control group, or its limit is "max"
        limit, used = (int((cgroup / f"memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, limit - used)
    return free


def held(device: str) -> int:
    """Return the bytes that this process holds: on the CPU all of it, on a GPU its tensors."""
    if device == "cpu":
        return resident()
    return int(torch.cuda.memory_allocated(device))  # pragma: needs hardware


def forget_peak(device: str) -> bool:
    """Begin to look for a new peak; false where the kernel refuses."""
    if device == "cpu":
        return reset_peak()
    torch.cuda.reset_peak_memory_stats(device)  # pragma: needs hardware
    return True  # pragma: needs hardware


def most(device: str) -> int:
    """Return the largest number of bytes held since `forget_peak`."""
    if device == "cpu":
        return peak()
    return int(torch.cuda.max_memory_allocated(device))  # pragma: needs hardware


def resident() -> int:
    """Return this process's resident set size in bytes."""
    return kibibytes(STATUS, "VmRSS")


def reset_peak(clear_refs: Path = CLEAR_REFS) -> bool:
    """Forget the past peak; false where the kernel refuses."""
    try:
        clear_refs.write_text(RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def peak() -> int:
    """Return the largest resident set size in bytes since the last reset."""
    largest = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes(STATUS, "VmHWM") or largest
