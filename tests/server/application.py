"""The application in this process, over a backend without a model, asked without a socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from jina_rerank_server.access import Access
from jina_rerank_server.app import Server, create_app
from jina_rerank_server.batcher import Batcher
from jina_rerank_server.bodies import Bodies
from jina_rerank_server.metrics import Metrics
from jina_rerank_server.rerank import Limits
from jina_rerank_server.served import Model, Served

from jina_rerank import Backend, Reranker
from jina_rerank.testing import FakeBackend

from .gate import PATIENCE, Gate

QUERY = "where is the dog"
DOCUMENTS = ["hello world", "the dog is in my house", "he likes dog"]
BEST = [1, 2, 0]

ROUTES = ("/v1/rerank", "/v2/rerank", "/rerank", "/invocations")


@dataclass
class App:
    """An application that is served.

    Attributes:
        server: What it is made of.
        client: Asks it.
    """

    server: Server
    client: httpx2.AsyncClient

    async def post(self, route: str, body: Any, **headers: str) -> httpx2.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            return await self.client.post(route, content=body, headers=names)
        return await self.client.post(route, json=body, headers=names)

    async def get(self, route: str, **headers: str) -> httpx2.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(route, headers=names)


def body_of(route: str, **more: Any) -> dict[str, Any]:
    """A request in the format of a route."""
    if route == "/invocations":
        return {"data": {"query": QUERY, "documents": [{"text": t} for t in DOCUMENTS]} | more}
    return {"query": QUERY, "documents": DOCUMENTS} | more


def batcher(
    backend: Backend, metrics: Metrics, name: str = "turbo", queue_size: int = 100
) -> Batcher:
    return Batcher(
        Reranker(name, backend=backend),
        name=name,
        batch_tokens=1000,
        batch_wait=0.0,
        queue_size=queue_size,
        metrics=metrics,
    )


@asynccontextmanager
async def serving(  # noqa: PLR0913 - what a test may want, each by its name
    *backends: Backend,
    access: Access | None = None,
    largest: int = 100_000,
    patience: float = 60.0,
    documents: int = 50,
    deadline: float = 60.0,
    queue_size: int = 100,
    ready: bool = True,
) -> AsyncIterator[App]:
    """Serve backends as turbo, tiny, base."""
    metrics = Metrics()
    each = backends or (FakeBackend(),)
    models = [
        Model.of(batcher(backend, metrics, name, queue_size), name)
        for backend, name in zip(each, ("turbo", "tiny", "base"), strict=False)
    ]
    server = Server(
        served=Served(models),
        access=access if access is not None else Access(),
        bodies=Bodies(largest=largest, patience=patience),
        limits=Limits(documents=documents, deadline=deadline),
        metrics=metrics,
    )
    if ready:
        await server.served.start()
    transport = httpx2.ASGITransport(create_app(server))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        try:
            yield App(server, client)
        finally:
            for backend in each:
                if isinstance(backend, Gate):
                    backend.stay_open()
            await server.served.stop()


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until something is so that nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0.005)
