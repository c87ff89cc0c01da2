"""Which part of a call takes how long, and how near its forward pass is to the matrix rate.

A profiler of torch times every operation. It disturbs them little, but what is between them more:
so the seconds of operations are those of the profiler, and the rest is what they leave of the same
call without one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

import torch
from jina_rerank_lab.benchmark.claims import share
from jina_rerank_lab.benchmark.engine import Engine
from jina_rerank_lab.benchmark.summary import varied
from jina_rerank_lab.benchmark.tables import milliseconds
from jina_rerank_lab.benchmark.workloads import Workload
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from jina_rerank.jina_bert.config import JinaBertConfig, read_config

from ..report import Section, table
from ..run import Run

T = TypeVar("T")

PARTS = {
    "linear layers": ("linear", "addmm", "::mm", "int_mm", "quantize"),
    "attention": ("attention", "bmm", "softmax"),
    "norms and gating": ("norm", "gelu", "relu", "::mul", "::add", "tanh", "sigmoid"),
    "embedding": ("embedding", "index_select"),
}
"""Operations by words of their names: the first part with such a word has it."""

TOKENIZATION, MOVES, REST = "tokenization", "copies and views", "Python and the rest"
ROWS = (512, 2048, 8192)
REPEATS = 5  # of each matrix product; the fastest counts
GOAL_FLOOR, GOAL_TOKENIZATION = 1.7, 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Seconds of a call, of its two steps, of its forward pass profiled, and of operations by name."""

    call: float
    encode: float
    forward: float
    profiled: float
    operations: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A linear layer's product of so many rows, and its best rate in FLOP per second."""

    name: str
    rows: int
    inputs: int
    outputs: int
    rate: float


def measure(run: Run) -> Section:
    """Run rounds of a call as it is, in two steps, and profiled; then the products alone."""
    workload = run.workload(run.model)
    directory = run.checkpoint(run.model)
    config = JinaBertConfig.of(read_config(directory / "config.json"), run.model)
    engine = Engine(directory, dtype="auto")
    rounds = []
    for number in range(run.rounds + 1):
        run.say(f"shares, {workload.name}: round {number} of {run.rounds}")
        rounds.append(ask(engine, workload))
    run.say("shares: matrix products")
    dtype = engine.scorer.dtype
    found = products(config, dtype)
    engine.close()
    return section(run.model, workload, rounds[1:], config=config, products=found, dtype=str(dtype))


def ask(engine: Engine, workload: Workload) -> Round:
    """Run the same call in every way."""
    call, _ = timed(lambda: engine.score(workload.requests))
    encode, encoded = timed(lambda: engine.encode(workload.requests))
    forward, _ = timed(lambda: engine.forward(encoded))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        profiled, _ = timed(lambda: engine.forward(encoded))
    operations = {one.key: one.self_cpu_time_total / 1e6 for one in profiler.key_averages()}
    return Round(
        call=call, encode=encode, forward=forward, profiled=profiled, operations=operations
    )


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that work takes, and what it returns."""
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def part(operation: str) -> str:
    """Return the part of a call that an operation belongs to."""
    for name, words in PARTS.items():
        if any(word in operation for word in words):
            return name
    return MOVES


def parts(measured: Round) -> dict[str, float]:
    """Return the seconds of each part of a call; what nothing else explains is the rest."""
    found = dict.fromkeys((TOKENIZATION, *PARTS, MOVES), 0.0)
    found[TOKENIZATION] = measured.encode
    for operation, seconds in measured.operations.items():
        found[part(operation)] += seconds
    return found | {REST: measured.call - sum(found.values())}


def linear_flops(config: JinaBertConfig, tokens: int, pairs: int) -> int:
    """Count the linear layers of a pass: the last computes keys and values of every token only."""
    width, inner = config.hidden_size, config.intermediate_size
    feed_forward = width * width + 3 * width * inner
    whole = 3 * width * width + feed_forward
    last = tokens * 2 * width * width + pairs * (width * width + feed_forward)
    head = pairs * (width * width + width)
    return 2 * (tokens * (config.num_hidden_layers - 1) * whole + last + head)


def products(config: JinaBertConfig, dtype: torch.dtype) -> list[Product]:
    """Measure the model's own matrices, each with the best of several numbers of rows."""
    width, inner = config.hidden_size, config.intermediate_size
    shapes = {
        "queries, keys, values": (width, 3 * width),
        "attended": (width, width),
        "gated": (width, 2 * inner),
        "output": (inner, width),
    }
    return [
        max(
            (product(name, rows, inputs, outputs, dtype) for rows in ROWS),
            key=lambda found: found.rate,
        )
        for name, (inputs, outputs) in shapes.items()
    ]


@torch.inference_mode()
def product(name: str, rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> Product:
    """Measure one product; the first one, unmeasured, may compile code."""
    x, weight = torch.randn(rows, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype)
    functional.linear(x, weight)
    best = min(timed(lambda: functional.linear(x, weight))[0] for _ in range(REPEATS))
    rate = 2 * rows * inputs * outputs / best
    return Product(name=name, rows=rows, inputs=inputs, outputs=outputs, rate=rate)


def medians(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each value over rounds with the same names."""
    every = list(rounds)
    return {name: statistics.median(one[name] for one in every) for name in every[0]}


def section(  # noqa: PLR0913 - what is reported
    model: str,
    workload: Workload,
    rounds: list[Round],
    *,
    config: JinaBertConfig,
    products: list[Product],
    dtype: str,
) -> Section:
    """Report the parts, the products, and the forward pass beside the floor."""
    seconds = medians(parts(one) for one in rounds)
    call, encode, forward, profiled = (
        statistics.median(getattr(one, name) for one in rounds)
        for name in ("call", "encode", "forward", "profiled")
    )
    title = f"Shares of a call, {workload.name}, {model} shape, {dtype.removeprefix('torch.')}"
    lines = table(left=("part",), right=("ms", "share"))
    for name, taken in seconds.items():
        lines.add_row(name, milliseconds(taken), share(taken / call))
    lines.add_section()
    lines.add_row("= a call, strings to scores", milliseconds(call), "100 %", style="bold")
    lines.add_row("forward only", milliseconds(forward), share(forward / call))
    best = max(one.rate for one in products)
    flops = linear_flops(config, workload.tokens, workload.documents)
    floor = flops / best
    matrices = table(left=("matrix",), right=("inputs", "outputs", "rows", "GFLOP/s"))
    for one in products:
        sizes = (f"{size:,}" for size in (one.inputs, one.outputs, one.rows))
        matrices.add_row(one.name, *sizes, f"{one.rate / 1e9:,.0f}")
    notes = [
        (
            f"medians of {len(rounds)} rounds; operations as torch's profiler times them, with which a "
            f"forward pass takes {profiled / forward:.2f}x as long; the rest is what they leave of a call"
        ),
        f"tokenization: {share(encode / call)} of a call; the goal is {share(GOAL_TOKENIZATION)} at most",
        (
            f"matrix-rate floor: {flops / 1e9:,.0f} GFLOP of linear layers, "
            f"{flops / workload.tokens / 1e6:.1f} MFLOP per token, at the best rate, "
            f"{best / 1e9:,.0f} GFLOP/s: {milliseconds(floor)} ms; the forward pass takes "
            f"{forward / floor:.2f}x the floor, the goal is {GOAL_FLOOR}x at most"
        ),
    ]
    notes += varied("a call", [one.call for one in rounds])
    return Section(
        tables={title: lines, "The model's own matrices, best rate of each": matrices},
        notes=tuple(notes),
        values={
            "lengths": workload.lengths,
            "dtype": dtype,
            "seconds": seconds,
            "linear_flops": flops,
            "floor": floor,
            "forward_over_floor": forward / floor,
            "products": [asdict(one) for one in products],
            "rounds": [asdict(one) for one in rounds],
        },
    )
