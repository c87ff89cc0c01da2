"""The server under load: what it keeps of the engine's speed, and what batching gains."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from jina_rerank_lab.benchmark import workloads
from jina_rerank_lab.benchmark.measure import rotated
from jina_rerank_lab.benchmark.summary import varied
from jina_rerank_lab.benchmark.tables import NOTHING, megabytes, times
from jina_rerank_lab.benchmark.workloads import Shape, log_normal
from rich.table import Table
from tokenizers import Tokenizer

from .. import load, machine
from ..load import Call, Load, percentile
from ..report import Section, table
from ..run import Run
from ..serving import BATCHERS, HOST, Asked, Offline, Process, score, serve

OFFLINE = "engine, no server"
CLIENTS, QUICK_CLIENTS = 64, 8
SECONDS, QUICK_SECONDS = 60.0, 5.0
EQUAL = 20  # documents of each request, to compare with the offline engine
SIZES = (1, 2, 5, 10, 20, 50)  # documents of a request, to see large beside small ones
TOLERANCE = 5e-3  # of bfloat16, in which another batch may round otherwise
SMALL = 1
PAUSE = 0.2  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How much load: so many clients, and so many seconds of mixed requests."""

    model: str
    clients: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Requests, the bytes that ask them, and the tokens of all."""

    asked: tuple[Asked, ...]
    bodies: tuple[bytes, ...]
    tokens: int

    @property
    def documents(self) -> int:
        """Documents of all requests."""
        return sum(len(documents) for _, documents in self.asked)


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """A round of equal requests, by contender.

    `seconds` are the clock's, `computed` those of the contender's process on all cores, which
    others on the machine disturb less; `wrong` counts answers; `cpu` is the clients' share of a core.
    """

    seconds: dict[str, float]
    computed: dict[str, float]
    wrong: dict[str, int]
    cpu: dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Steady:
    """A time of mixed requests: what a server did until all were answered.

    `documents` are per second, `p` percentiles in seconds, `small` the median of requests with one
    document, `memory` and its `growth` bytes.
    """

    documents: float
    p50: float
    p95: float
    p99: float
    small: float
    answers: int
    wrong: int
    cpu: float
    memory: int
    growth: float


def measure(run: Run) -> Section:
    """Run rounds of equal requests, then a time of mixed ones."""
    plan = Plan(
        model=run.model,
        clients=QUICK_CLIENTS if run.quick else CLIENTS,
        seconds=QUICK_SECONDS if run.quick else SECONDS,
    )
    clients = plan.clients
    tokenizer = run.tokenizer(run.model)
    directory = run.checkpoint(run.model)
    equal = texts(tokenizer, [EQUAL] * clients)
    sizes = [size for size in SIZES for _ in range(clients // len(SIZES) + 1)]
    Random(0).shuffle(sizes)  # noqa: S311 - sizes are no secret
    mixed = texts(tokenizer, sizes)
    with ExitStack() as stack:
        run.say("server: loading")
        offline = Offline(stack.enter_context(Process(score, OFFLINE, directory)))
        servers = {name: stack.enter_context(Process(serve, name, directory)) for name in BATCHERS}
        _, scores = offline.score(mixed.asked)
        for server in servers.values():
            wait(server, equal)
        rounds = []
        for number in range(run.rounds):
            run.say(f"server, equal requests: round {number + 1} of {run.rounds}")
            rounds.append(turn(offline, servers, equal, clients=clients, number=number))
        steady = {}
        for name, server in servers.items():
            run.say(f"server, mixed requests, {name}: {plan.seconds:.0f} s")
            order = load.during(len(mixed.bodies), plan.seconds)
            seen = asyncio.run(ask(server, mixed.bodies, order, clients=clients))
            steady[name] = summarise(seen, mixed, scores)
    return section(plan, equal, rounds, steady)


def texts(tokenizer: Tokenizer, sizes: Sequence[int]) -> Texts:
    """Make a request of each size, of documents as long as passages are."""
    words = workloads.vocabulary_words(tokenizer)
    asked = []
    tokens = 0
    for seed, size in enumerate(sizes):
        shape = Shape(name="served", lengths=log_normal(size, seed=seed))
        workload = workloads.build(shape, tokenizer, words=words, seed=seed)
        ((query, documents),) = workload.requests
        asked.append((query, list(documents)))
        tokens += sum(shape.lengths)
    bodies = tuple(load.build(*each) for each in asked)
    return Texts(asked=tuple(asked), bodies=bodies, tokens=tokens)


def wait(server: Process, equal: Texts) -> None:
    """Ask until the model is loaded."""
    while asyncio.run(ask(server, equal.bodies[:1], clients=1)).calls[0].status != load.OK:
        time.sleep(PAUSE)


async def ask(server: Process, bodies: Sequence[bytes], order: Any = None, *, clients: int) -> Load:
    """Ask a server; without an order, each request once."""
    order = order if order is not None else load.once(len(bodies))
    target = load.Target(host=HOST, port=server.told, pid=server.pid)
    return await load.run(target, bodies, order, clients=clients)


def turn(
    offline: Offline, servers: Mapping[str, Process], equal: Texts, *, clients: int, number: int
) -> Round:
    """Let each contender answer all requests, beginning with another one each time."""
    names = [OFFLINE, *servers]
    seconds: dict[str, float] = {}
    computed: dict[str, float] = {}
    loads: dict[str, Load] = {}
    expected: list[list[float]] = []
    for at in rotated(range(len(names)), number):
        name = names[at]
        process = servers.get(name, offline.process)
        before = machine.processor_time(process.pid)
        if name == OFFLINE:
            seconds[name], expected = offline.score(equal.asked)
        else:
            loads[name] = asyncio.run(ask(process, equal.bodies, clients=clients))
            seconds[name] = loads[name].seconds
        computed[name] = machine.processor_time(process.pid) - before
    return Round(
        seconds=seconds,
        computed=computed,
        wrong={name: load.wrong(seen.calls, expected, TOLERANCE) for name, seen in loads.items()},
        cpu={name: seen.cpu for name, seen in loads.items()},
    )


def summarise(seen: Load, mixed: Texts, expected: Sequence[Sequence[float]]) -> Steady:
    """Count all answers, to the last one: what is left when the time is over is work done, too."""
    took = [call.seconds for call in seen.calls]
    small = [call.seconds for call in seen.calls if size(call, mixed) == SMALL]
    return Steady(
        documents=sum(size(call, mixed) for call in seen.calls) / seen.seconds,
        p50=percentile(took, 0.5),
        p95=percentile(took, 0.95),
        p99=percentile(took, 0.99),
        small=statistics.median(small or took),
        answers=len(took),
        wrong=load.wrong(seen.calls, expected, TOLERANCE),
        cpu=seen.cpu,
        memory=max(seen.memory),
        growth=seen.growth,
    )


def size(call: Call, asked: Texts) -> int:
    """Return how many documents a request had."""
    return len(asked.asked[call.request][1])


def section(
    plan: Plan, equal: Texts, rounds: Sequence[Round], steady: Mapping[str, Steady]
) -> Section:
    """Report equal requests beside the offline engine, then mixed ones beside each other."""
    busiest = max(share for one in rounds for share in one.cpu.values())
    answers = sum(one.answers for one in steady.values()) + len(rounds) * len(steady) * len(
        equal.asked
    )
    bad = sum(one.wrong for one in steady.values()) + sum(
        count for one in rounds for count in one.wrong.values()
    )
    notes = [
        (
            f"equal: {len(equal.asked)} requests of {EQUAL} documents, {equal.tokens:,} tokens, all "
            f"asked at once by {plan.clients} clients; the engine gets them in one call of score_many; "
            f"rounds: {len(rounds)}"
        ),
        (
            f"mixed: requests of {', '.join(map(str, SIZES))} documents in equal numbers, {plan.clients} "
            f"clients that ask again at once, for {plan.seconds:.0f} s, and then wait for what is left"
        ),
        f"{bad} of {answers:,} answers were wrong: scores within {TOLERANCE}, and their order",
        "computed: by the process on all cores, which other work on the machine disturbs less",
        f"clients: one process, at most {busiest:.1%} of a core; memory: at most, and its growth",
    ]
    for name in rounds[0].seconds:
        notes += varied(f"{name}:", [one.seconds[name] for one in rounds])
    return Section(
        tables={
            f"Served and not, {plan.model} shape, dtype auto": equal_table(equal, rounds),
            f"Mixed requests, {plan.model} shape, dtype auto": mixed_table(steady),
        },
        notes=tuple(notes),
        values={
            "clients": plan.clients,
            "equal": {"documents": equal.documents, "tokens": equal.tokens},
            "rounds": [asdict(one) for one in rounds],
            "steady": {name: asdict(one) for name, one in steady.items()},
        },
    )


def equal_table(equal: Texts, rounds: Sequence[Round]) -> Table:
    """Lay out one line per contender; the share of the engine's speed is the last column."""
    headings = (
        "median\nseconds",
        "documents/s",
        "tokens/s",
        "of the\nengine",
        "computed\nseconds",
        "of the\nengine",
    )
    lines = table(left=("contender",), right=headings)
    medians = {
        name: statistics.median(one.seconds[name] for one in rounds) for name in rounds[0].seconds
    }
    work = {name: statistics.median(one.computed[name] for one in rounds) for name in medians}
    for name in sorted(medians, key=lambda name: name != OFFLINE):
        took = medians[name]
        lines.add_row(
            name if name == OFFLINE else f"server, {name}",
            f"{took:.2f}",
            f"{equal.documents / took:,.1f}",
            f"{equal.tokens / took:,.0f}",
            f"{medians[OFFLINE] / took:.2f}",
            f"{work[name]:.2f}",
            f"{work[OFFLINE] / work[name]:.2f}",
        )
    return lines


def mixed_table(steady: Mapping[str, Steady]) -> Table:
    """Lay out one line per server; the last is what the others are compared with."""
    headings = (
        "answers",
        "documents/s",
        "speed",
        "p50\ns",
        "p95\ns",
        "p99\ns",
        "one doc.\np50 s",
        "memory\nMB",
        "growth\nMB",
    )
    lines = table(left=("server",), right=headings)
    base = list(steady.values())[-1].documents
    for name, one in steady.items():
        waits = (one.p50, one.p95, one.p99, one.small)
        lines.add_row(
            name,
            f"{one.answers}",
            f"{one.documents:.1f}",
            times(one.documents / base) if base else NOTHING,
            *(f"{wait:.2f}" for wait in waits),
            megabytes(one.memory),
            f"{one.growth / 1e6:+,.1f}",
        )
    return lines
