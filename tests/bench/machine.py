"""What the benchmark ran on, and the memory of the running process."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): sets the peak resident set size to the current one
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What a measurement depends on; `load` is the number of processes that were running before."""

    cpu: str
    cores: int
    threads: int
    python: str
    torch: str
    tokenizers: str
    load: float

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.threads} threads, "
            f"load {self.load:.1f} before, "
            f"Python {self.python}, torch {self.torch}, tokenizers {self.tokenizers}"
        )


def describe() -> Machine:
    """Describe this machine; the cores are those that this process may use."""
    return Machine(
        cpu=field(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown CPU",
        cores=len(os.sched_getaffinity(0)),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        tokenizers=version("tokenizers"),
        load=os.getloadavg()[0],
    )


def available_memory() -> int:
    """Return the bytes that can be taken without swapping, within the control group's limit."""
    available = kibibytes(Path("/proc/meminfo"), "MemAvailable")
    with contextlib.suppress(OSError, ValueError):  # no control group, or its limit is "max"
        limit, used = (int((CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        available = min(available, limit - used)
    return available


def resident_memory() -> int:
    """Return this process's resident set size in bytes."""
    return kibibytes(STATUS, "VmRSS")


def reset_peak_memory() -> bool:
    """Forget the past peak; false where the kernel refuses."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def peak_memory() -> int:
    """Return the largest resident set size in bytes since the last reset."""
    largest = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes(STATUS, "VmHWM") or largest


def processor_time(pid: int) -> float:
    """Return the seconds that a process computed so far, on all cores."""
    # proc(5): user and system time are fields 14 and 15; the second, a name, ends with a bracket.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kibibytes(path: Path, name: str) -> int:
    """Return a size that a file of /proc states in KiB, in bytes; 0 if it does not."""
    stated = field(path, name)
    return 1024 * int(stated.removesuffix(" kB")) if stated else 0


def field(path: Path, name: str) -> str:
    """Return the value of the first line ``name: value``, or an empty string."""
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""
