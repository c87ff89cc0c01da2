"""Clients that ask a server at once: one asyncio process, bodies built before, raw streams.

It shares the machine with the server, so it does as little as it can, and says what it took.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from jina_rerank_lab.machine import kibibytes

PATH = "/v1/rerank"
OK = 200
SAMPLE = 0.5  # seconds between looks at the server's memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A server: its address, and its process, for its memory."""

    host: str
    port: int
    pid: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One answer: to which request, when it was there (seconds from the start), how long it took."""

    request: int
    ended: float
    seconds: float
    status: int
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What clients saw.

    `seconds` is from the first request to the last answer; `cpu` is this process's share of a core
    meanwhile; `memory` are the server's bytes over the time.
    """

    seconds: float
    cpu: float
    calls: tuple[Call, ...]
    memory: tuple[int, ...]

    @property
    def growth(self) -> float:
        """How many bytes the server grew from the second to the last quarter of the time."""
        quarter = max(len(self.memory) // 4, 1)
        early = self.memory[quarter : 2 * quarter] or self.memory
        return statistics.median(self.memory[-quarter:]) - statistics.median(early)


def build(query: str, documents: Sequence[str]) -> bytes:
    """Write a whole request, head and body."""
    fields = {"query": query, "documents": documents, "return_documents": False}
    body = json.dumps(fields).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def once(count: int) -> Iterator[int]:
    """Ask each request once."""
    return iter(range(count))


def during(count: int, seconds: float) -> Iterator[int]:
    """Ask one request after the other, again and again, for so long."""
    end = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < end:
        yield number % count
        number += 1


async def run(
    target: Target, requests: Sequence[bytes], order: Iterable[int], *, clients: int
) -> Load:
    """Ask a server.

    Args:
        target: The server.
        requests: What `build` wrote.
        order: Which of them is asked next, by whichever client is free.
        clients: How many ask at once, each over a connection of its own.

    Raises:
        OSError: A connection broke.
    """
    calls: list[Call] = []
    memory: list[int] = []
    shared = iter(order)
    began, cpu = time.perf_counter(), time.process_time()
    watching = asyncio.create_task(watch(target.pid, memory))
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask(target, requests, shared, calls, began))
    seconds = time.perf_counter() - began
    watching.cancel()
    share = (time.process_time() - cpu) / seconds
    return Load(seconds=seconds, cpu=share, calls=tuple(calls), memory=tuple(memory))


async def ask(
    target: Target,
    requests: Sequence[bytes],
    order: Iterator[int],
    calls: list[Call],
    start: float,
) -> None:
    """Be one client: ask, wait for the answer, ask again."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    for number in order:
        began = time.perf_counter()
        writer.write(requests[number])
        await writer.drain()
        status, body = await answer(reader)
        ended = time.perf_counter()
        calls.append(
            Call(
                request=number,
                ended=ended - start,
                seconds=ended - began,
                status=status,
                body=body,
            )
        )
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read an answer: its status and its body, whose length the server has to say."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *fields = head.split("\r\n")
    lengths = [line.split(":")[1] for line in fields if line.lower().startswith("content-length:")]
    return int(status.split()[1]), await reader.readexactly(int(lengths[0]))


async def watch(pid: int, memory: list[int]) -> None:
    """Note the memory of a process until cancelled."""
    while True:
        memory.append(kibibytes(Path(f"/proc/{pid}/status"), "VmRSS"))
        await asyncio.sleep(SAMPLE)


def wrong(calls: Iterable[Call], expected: Sequence[Sequence[float]], tolerance: float) -> int:
    """Count answers that are not the offline engine's: scores, or an order that they do not have."""
    return sum(not right(call, expected[call.request], tolerance) for call in calls)


def right(call: Call, expected: Sequence[float], tolerance: float) -> bool:
    """Tell whether an answer has each document's score, best first."""
    if call.status != OK:
        return False
    results: list[dict[str, Any]] = json.loads(call.body)["results"]
    order = [result["index"] for result in results]
    return (
        sorted(order) == list(range(len(expected)))
        and all(abs(r["relevance_score"] - expected[r["index"]]) <= tolerance for r in results)
        and all(expected[b] - expected[a] <= tolerance for a, b in pairwise(order))
    )


def percentile(seconds: Sequence[float], share: float) -> float:
    """Return what `share` of the values are at most: the nearest rank."""
    ordered = sorted(seconds)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
