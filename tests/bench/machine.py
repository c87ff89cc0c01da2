"""What the benchmark ran on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from jina_rerank_lab import machine


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
    found = machine.describe()
    return Machine(
        cpu=found.cpu,
        cores=found.cores,
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        tokenizers=version("tokenizers"),
        load=os.getloadavg()[0],
    )


def processor_time(pid: int) -> float:
    """Return the seconds that a process computed so far, on all cores."""
    # proc(5): user and system time are fields 14 and 15; the second, a name, ends with a bracket.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
