"""A contender in a process of its own, so that its time and its memory are its own."""

import gc
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import torch
from torch.nn import functional

from jina_rerank.types import Request

from . import memory
from .contenders import Contender, Scorer, find
from .workloads import Workload

WARM_UP = (("warm up", ("A short text that touches every weight.",)),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One call: seconds to its scores, and the peak in bytes above the loaded model.

    `exact` is false where the kernel cannot reset its high-water mark; the true peak may then be
    higher than `peak`. On a GPU the peak is that of its memory, as torch's allocator counts it.
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
        device: Where it runs.
        batch: Sequences that are padded together, by those who pad; None is the contender's first.

    Raises:
        EOFError: Also from `score`: the process died; its traceback is on stderr.
    """

    def __init__(
        self,
        contender: Contender,
        directory: Path,
        *,
        device: str = "cpu",
        batch: int | None = None,
    ) -> None:
        context = get_context("spawn")
        self.contender = contender
        self.batch = contender.batch_sizes[0] if batch is None else batch
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, contender.name, directory, device, self.batch)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.loaded: Loaded = self._pipe.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pipe.close()  # the process ends when it reads the end of the pipe
        if kind is not None:
            self._process.terminate()  # it may be in the middle of a call of minutes
        self._process.join()

    def score(self, workload: Workload) -> Sample:
        """Run one call."""
        self._pipe.send((workload.requests, workload.forward_only))
        measured: Sample = self._pipe.recv()
        return measured


def serve(
    pipe: "Connection[Any, Any]", name: str, directory: Path, device: str, batch: int
) -> None:
    """Load the named contender, then score what comes through the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that this process
    contender = find(name)
    touch_torch()
    gc.collect()
    before = memory.resident()
    began = time.perf_counter()
    scorer = contender.start(directory, device=device, batch=batch)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    scorer.score(WARM_UP)
    first_call = time.perf_counter() - began
    gc.collect()
    pipe.send(
        Loaded(
            dtype=contender.dtype or dominant_dtype(),
            seconds=seconds,
            first_call=first_call,
            resident=memory.held(device) - (before if device == "cpu" else 0),
        )
    )
    while True:
        try:
            requests, forward_only = pipe.recv()
        except EOFError:
            break
        pipe.send(sample(scorer, requests, device, forward_only=forward_only))
    scorer.close()


def touch_torch() -> None:
    """Compute a little of what models do: torch's own code and threads are no model's memory."""
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(1, 1, 64, 64, dtype=dtype)
        x = functional.scaled_dot_product_attention(x, x, x, attn_mask=x)
        functional.layer_norm(functional.gelu(functional.linear(x, x[0, 0])), (64,))


def sample(
    scorer: Scorer, requests: Sequence[Request], device: str, *, forward_only: bool = False
) -> Sample:
    """Time one call and watch its memory; with `forward_only` texts are tokenized before."""
    call = partial(scorer.score, requests)
    if forward_only:
        call = partial(scorer.forward, scorer.encode(requests))
    gc.collect()
    before = memory.held(device)
    exact = memory.forget_peak(device)
    began = time.perf_counter()
    scores = call()
    seconds = time.perf_counter() - began
    peak = memory.most(device) - before
    return Sample(seconds=seconds, peak=peak, exact=exact, scores=scores)


def dominant_dtype() -> str:
    """Return the type that most bytes of the loaded tensors have: what was chosen, seen outside."""
    sizes: Counter[str] = Counter()
    for thing in gc.get_objects():
        if type(thing) in {torch.Tensor, torch.nn.Parameter}:  # compilers keep others, sizeless
            sizes[str(thing.dtype).removeprefix("torch.")] += thing.nbytes
    return sizes.most_common(1)[0][0] if sizes else "unknown"
