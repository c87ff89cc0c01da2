"""Bodies as large as they may be: refused before they cost, and in nobody else's way."""

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from jina_rerank.wire.batch_transform import ROWS

from .running import Running, serving

LARGEST = 8 * 1024 * 1024
"""The default of `--max-body`."""

OTHERS = 3.0
"""Seconds in which `/ping` answers, however slow the machine; it was many, or never."""

MEMORY = 2_000_000_000
"""Bytes of memory that the server may take, PyTorch included: 28 of these bodies once took 5 GB."""


def filled(head: bytes, item: bytes, tail: bytes) -> bytes:
    """Repeat an item until the body is as large as it may be."""
    return head + b",".join([item] * ((LARGEST - len(head + tail)) // (len(item) + 1))) + tail


ROW = b'i,q,"[""a""]",\n'
DOCUMENT = b'{"query":"q","documents":[{"text":"a","x":['
REFUSED = {
    "rows": ("text/csv", ROW * (LARGEST // len(ROW)), "at most 10000 rows"),
    "blank rows": ("text/csv", b"\n" * (LARGEST - 1) + b"x", "at most 10000 rows"),
    "texts": (
        "application/json",
        filled(b'{"query":"q","documents":[', b'""', b"]}"),
        "at most 2048 items",
    ),
    "objects": (
        "application/json",
        filled(b'{"query":"q","documents":[', b'{"text":"","a":0}', b"]}"),
        "at most 2048 items",
    ),
    "values": ("application/json", filled(DOCUMENT, b"[]", b"]}]}"), "at most 200000 values"),
    "objects in one": (
        "application/json",
        filled(DOCUMENT, b'{"":0}', b"]}]}"),
        "at most 200000 values",
    ),
}
IGNORED = filled(b'{"query":"q","documents":["a"],"x":[', b"[]", b"]}")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving("--model", "nano", "--deadline", "2") as server:
        yield server


async def ask(server: Running, kind: str, *bodies: bytes) -> list[httpx2.Response]:
    """Send bodies at once, and ask `/ping` until they are answered; it has to be fast enough."""
    async with (
        httpx2.AsyncClient(base_url=server.url, timeout=60) as client,
        httpx2.AsyncClient(base_url=server.url, timeout=OTHERS) as other,
    ):
        headers = {"content-type": kind}
        sent = [
            asyncio.ensure_future(client.post("/invocations", content=body, headers=headers))
            for body in bodies
        ]
        waiting = asyncio.gather(*sent)
        while not waiting.done():
            assert (await other.get("/ping")).status_code == 200
        return await waiting


@pytest.mark.parametrize("name", REFUSED)
async def test_too_much_of_anything_is_refused_while_others_are_answered(
    server: Running, name: str
) -> None:
    kind, body, reason = REFUSED[name]
    (said,) = await ask(server, kind, body)
    assert said.status_code == 422
    assert reason in said.text


async def test_as_many_rows_as_may_be_end_by_the_deadline_while_others_are_answered(
    server: Running,
) -> None:
    (said,) = await ask(server, "text/csv", ROW * ROWS)
    assert said.status_code in {200, 504}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("body", [IGNORED, REFUSED["values"][1]], ids=["ignored", "inside"])
async def test_many_large_bodies_at_once_take_bounded_memory(server: Running, body: bytes) -> None:
    statuses = {said.status_code for said in await ask(server, "application/json", *[body] * 28)}
    assert statuses <= {200, 422, 429, 504}
    assert peak(server) < MEMORY


def peak(server: Running) -> int:
    """Return the most bytes of memory that the server has had."""
    said = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", said)
    return int(found) * 1024
