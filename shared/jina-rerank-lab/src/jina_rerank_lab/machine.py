"""What a measurement ran on: the machine, and the versions of what decides its numbers."""

import contextlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    "jina-rerank",
    "jina-rerank-lab",
    "torch",
    "tokenizers",
    "transformers",
    "sentence-transformers",
    "numpy",
    "bm25s",
    "ir-measures",
)
"""Whose versions are noted."""

PROC = Path("/proc")

GIGA = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine, as far as a measurement depends on it.

    Attributes:
        cpu: The processor's own name.
        cores: How many this process may use.
        memory: Bytes in all.
        gpu: The name of the GPU; None without one.
    """

    cpu: str
    cores: int
    memory: int
    gpu: str | None


def describe(proc: Path = PROC) -> Machine:
    """Describe this machine; `proc` is where Linux tells about itself."""
    memory = kibibytes(proc / "meminfo", "MemTotal")
    cpu = field(proc / "cpuinfo", "model name") or platform.processor() or platform.machine()
    return Machine(cpu=cpu, cores=_cores(), memory=memory, gpu=_gpu())


def said(machine: Mapping[str, Any]) -> str:
    """Say in a line what a file of results tells of a `Machine`.

    >>> said({"cpu": "Fast  CPU", "cores": 2, "memory": 8 << 30, "gpu": None})
    'Fast CPU, 2 cores, 8 GiB'
    """
    gpu = f", {machine['gpu']}" if machine["gpu"] is not None else ""
    cpu = " ".join(machine["cpu"].split())
    return f"{cpu}, {machine['cores']} cores, {machine['memory'] / GIGA:.0f} GiB{gpu}"


def versions() -> dict[str, str]:
    """Name the versions of Python and of the packages that are installed, of `PACKAGES`."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def kibibytes(path: Path, name: str) -> int:
    """Return a size that a file of /proc states in KiB, in bytes; 0 if it does not."""
    stated = field(path, name)
    return 1024 * int(stated.removesuffix(" kB")) if stated else 0


def field(path: Path, name: str) -> str:
    """Return the value of the first line ``name: value`` of a file, or an empty string."""
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - not on Linux


def _gpu() -> str | None:
    if torch.cuda.is_available():  # pragma: needs hardware
        return torch.cuda.get_device_name()
    return None
