"""The engine behind the server, and without it, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from jina_rerank_lab.benchmark.worker import WARM_UP
from jina_rerank_server import logs
from jina_rerank_server.access import Access
from jina_rerank_server.app import Server
from jina_rerank_server.batcher import Batcher
from jina_rerank_server.bodies import Bodies
from jina_rerank_server.metrics import Metrics
from jina_rerank_server.rerank import Limits
from jina_rerank_server.running import bind, run
from jina_rerank_server.served import Model, Served

from jina_rerank import Reranker, Scores

HOST = "127.0.0.1"
NAME = "served"
MANY = 1_000_000  # of documents that may wait: nobody is refused here
PATIENCE = 3600.0  # seconds that an answer may take
BATCH_TOKENS, BATCH_WAIT = 8192, 0.002  # the defaults of the command
READY = "ready"

Asked = tuple[str, list[str]]
"""A query and its documents."""


class OneByOne(Batcher):
    """Serving without batching: a request has the engine for itself, the others wait."""

    def __init__(self, reranker: Reranker, **batching: Any) -> None:
        super().__init__(reranker, **batching)
        self._engine = reranker
        self._turn = asyncio.Lock()

    async def score(
        self, query: str, documents: Sequence[str], *, truncation: bool | None = None
    ) -> Scores:
        """Score one request when its turn comes."""
        del truncation
        async with self._turn:
            ranking = await self._engine.arank(query, documents)
        values = [0.0] * len(documents)
        for item in ranking:
            values[item.index] = item.score or 0.0
        return Scores(values, ranking.usage.total_tokens, ranking.model)


BATCHERS: dict[str, type[Batcher]] = {"batches": Batcher, "one request at a time": OneByOne}
"""Ways to serve, by name; everything else is the same."""


def engine(directory: Path) -> Reranker:
    """Make the engine; every contender has the same."""
    return Reranker(str(directory), device="cpu", batch_tokens=BATCH_TOKENS)


def serve(pipe: Connection[Any, Any], name: str, directory: Path) -> None:
    """Serve a checkpoint; tell the port, at which requests wait until it is loaded."""
    metrics = Metrics()
    batcher = BATCHERS[name](
        engine(directory),
        name=NAME,
        batch_tokens=BATCH_TOKENS,
        batch_wait=BATCH_WAIT,
        queue_size=MANY,
        metrics=metrics,
    )
    server = Server(
        served=Served([Model.of(batcher, NAME)]),
        access=Access(),
        bodies=Bodies(largest=MANY, patience=PATIENCE),
        limits=Limits(documents=MANY, deadline=PATIENCE),
        metrics=metrics,
    )
    listener = bind(HOST, 0)
    pipe.send(listener.getsockname()[1])
    with Path(os.devnull).open("w", encoding="utf-8") as nobody:
        logs.configure(nobody)  # lines are written, as in life
        run(server, listener)


def score(pipe: Connection[Any, Any], name: str, directory: Path) -> None:
    """Load a checkpoint, then score what comes through the pipe until it closes."""
    del name
    reranker = engine(directory).load()
    reranker.score(*WARM_UP[0])
    pipe.send(READY)
    while True:
        try:
            requests: list[Asked] = pipe.recv()
        except EOFError:
            break
        began = time.perf_counter()
        scores = reranker.score_many(requests)
        pipe.send((time.perf_counter() - began, scores))


@dataclass(frozen=True, slots=True)
class Offline:
    """The engine by itself, all requests in one call; a context manager that ends its process."""

    process: Process

    def score(self, requests: Sequence[Asked]) -> tuple[float, list[list[float]]]:
        """Return the seconds that it took, and each request's scores."""
        self.process.pipe.send(list(requests))
        answer: tuple[float, list[list[float]]] = self.process.pipe.recv()
        return answer


class Process:
    """One of the functions above in a fresh process; a context manager that ends it.

    Args:
        target: `serve` or `score`.
        name: Of `BATCHERS`.
        directory: The checkpoint.

    Attributes:
        pipe: Leads to it.
        told: The first thing that it said.

    Raises:
        EOFError: It died; its traceback is on stderr.
    """

    def __init__(self, target: Any, name: str, directory: Path) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, name, directory), daemon=True)
        self._process.start()
        theirs.close()
        self.told: Any = self.pipe.recv()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pipe.close()
        self._process.terminate()  # a server stops when it is told to
        self._process.join()
