"""The collected requests and replies of rerank services, and a clock that no test waits for."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jina_rerank import Reranker
from jina_rerank.backends.api import ApiBackend
from jina_rerank.http.clock import Clock
from jina_rerank.settings import Settings
from jina_rerank.types import Ranking
from jina_rerank.wire.values import Answer

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "rerank-api" / "cases.json").read_text("utf-8")
)

QUERY = "where is the dog"
DOCUMENTS = ["the dog is in my house", "he likes dog", "hello world"]

Ask = Callable[[Reranker, str, Sequence[str]], Ranking[str]]


def answer_of(case: dict[str, Any]) -> Answer:
    """The case's response as an answer."""
    response = case["response"]
    text = response["text"] if "text" in response else json.dumps(response["json"])
    headers = {name.lower(): value for name, value in response["headers"].items()}
    return Answer(response["status"], text.encode(), headers)


def ask_sync(reranker: Reranker, query: str, documents: Sequence[str]) -> Ranking[str]:
    return reranker.rank(query, documents)


def ask_async(reranker: Reranker, query: str, documents: Sequence[str]) -> Ranking[str]:
    return asyncio.run(reranker.arank(query, documents))


@dataclass
class Ticks:
    """A clock that only sleeping moves, at once.

    Attributes:
        time: The present.
        slept: Every wait so far.
        asleep: Called with each wait, before the time moves.
        step: Seconds that pass whenever somebody looks.
    """

    time: float = 0.0
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[float], object] = float
    step: float = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(
            monotonic=self.look,
            now=lambda: self.time,
            wait=lambda _, seconds: self.sleep(seconds),
            asleep=self.asleep,
            random=lambda: 0.0,
        )

    def look(self) -> float:
        self.time += self.step
        return self.time

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.on_sleep(seconds)
            self.slept.append(seconds)
            self.time += seconds

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.sleep(seconds)


@contextmanager
def make(base_url: str, ticks: Ticks | None = None, **settings: Any) -> Iterator[Reranker]:
    """Make a reranker over a service, with a clock that no test waits for."""
    clock = (ticks if ticks is not None else Ticks()).clock
    backend = ApiBackend(Settings(base_url=base_url, **settings), clock=clock)
    with (
        closing(backend),
        Reranker(backend=backend, on_error=settings.get("on_error", "raise")) as reranker,
    ):
        yield reranker
