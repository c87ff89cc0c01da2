"""A contender in a process of its own, so that its time and its memory are its own."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import torch
from torch.nn import functional

from . import machine
from .contenders import CONTENDERS, Contender, Scorer
from .workloads import Workload

WARM_UP = ("warm up", ["A short text that touches every weight."])


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One call: seconds from strings to scores, and the peak in bytes above the loaded model.

    `exact` is false where the kernel cannot reset its high-water mark; the true peak may then be
    higher than `peak`.
    """

    seconds: float
    peak: int
    exact: bool
    scores: list[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What loading took.

    `seconds` are those of loading, `first_call` those of a short call after it; `resident` are the
    bytes that model and tokenizer then hold, with what loading did not give back.
    """

    dtype: str
    seconds: float
    first_call: float
    resident: int


class Worker:
    """A contender in a fresh process, driven over a pipe; a context manager that ends it.

    Args:
        contender: One of `CONTENDERS`; the process finds it by its name.
        directory: The checkpoint.

    Raises:
        EOFError: Also from `score`: the process died; its traceback is on stderr.
    """

    def __init__(self, contender: Contender, directory: Path) -> None:
        context = get_context("spawn")
        self.contender = contender
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, contender.name, directory)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.loaded: Loaded = self._pipe.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()  # the process ends when it reads the end of the pipe
        self._process.join()

    def score(self, workload: Workload) -> Sample:
        """Run one call."""
        self._pipe.send((workload.query, list(workload.documents)))
        measured: Sample = self._pipe.recv()
        return measured


def serve(pipe: Connection[Any, Any], name: str, directory: Path) -> None:
    """Load the named contender, then score what comes through the pipe until it closes."""
    contender = next(contender for contender in CONTENDERS if contender.name == name)
    touch_torch()
    gc.collect()
    before = machine.resident_memory()
    began = time.perf_counter()
    scorer = contender.start(directory)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    scorer.score(*WARM_UP)
    first_call = time.perf_counter() - began
    gc.collect()
    pipe.send(
        Loaded(
            dtype=dominant_dtype(),
            seconds=seconds,
            first_call=first_call,
            resident=machine.resident_memory() - before,
        )
    )
    while True:
        try:
            query, documents = pipe.recv()
        except EOFError:
            break
        pipe.send(sample(scorer, query, documents))
    scorer.close()


def touch_torch() -> None:
    """Compute a little of what models do: torch's own code and threads are no model's memory."""
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(1, 1, 64, 64, dtype=dtype)
        x = functional.scaled_dot_product_attention(x, x, x, attn_mask=x)
        functional.layer_norm(functional.gelu(functional.linear(x, x[0, 0])), (64,))


def sample(scorer: Scorer, query: str, documents: Sequence[str]) -> Sample:
    """Time one call and watch its memory."""
    gc.collect()
    before = machine.resident_memory()
    exact = machine.reset_peak_memory()
    began = time.perf_counter()
    scores = scorer.score(query, documents)
    seconds = time.perf_counter() - began
    peak = machine.peak_memory() - before
    return Sample(seconds=seconds, peak=peak, exact=exact, scores=scores)


def dominant_dtype() -> str:
    """Return the type that most bytes of the loaded tensors have: what was chosen, seen outside."""
    sizes: Counter[str] = Counter()
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor):
            sizes[str(thing.dtype).removeprefix("torch.")] += thing.nbytes
    return sizes.most_common(1)[0][0] if sizes else "unknown"
