"""The application: which route does what."""

from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .access import Access
from .bodies import Bodies
from .cors import around
from .docs import Docs
from .formats import ROUTES
from .frame import Frame
from .metrics import Metrics
from .page import Page
from .refusals import NO_MODEL, NOT_FOUND, UNAVAILABLE, WRONG_METHOD, Reason, Refusal
from .rerank import SOON, Limits, Reranking
from .served import Served


@dataclass(slots=True)
class Server:
    """What an application is made of, beside its routes.

    Attributes:
        served: The models.
        access: Who may ask.
        bodies: What bodies may be.
        limits: What requests may ask for.
        metrics: Where everything is counted.
        stopping: True once the server is to stop: it still answers, but wants no more.
    """

    served: Served
    access: Access
    bodies: Bodies
    limits: Limits
    metrics: Metrics
    stopping: bool = False

    async def ping(self, _: Request) -> Response:
        """Tell SageMaker whether requests can be sent: an empty answer, as it asks for."""
        return Response(status_code=200 if self._is_ready else 503)

    async def health(self, _: Request) -> Response:
        """Tell whether requests can be sent, and how far each model is."""
        models = {model.batcher.name: model.batcher.ready for model in self.served}
        said = {"status": self._state, "ready": models}
        return JSONResponse(said, 200 if self._is_ready else 503)

    async def models(self, _: Request) -> Response:
        """List the models, once they are loaded."""
        if not self.served.ready:
            message = "Not every model is ready."
            raise Refusal(UNAVAILABLE, message, retry_after=SOON)
        return JSONResponse({"object": "list", "data": [model.describe() for model in self.served]})

    async def model(self, request: Request) -> Response:
        """Describe one model."""
        try:
            model = self.served.find(request.path_params["name"])
        except Refusal as refusal:
            raise Refusal(NO_MODEL, refusal.message) from None
        return JSONResponse(model.describe())

    async def counts(self, _: Request) -> Response:
        """Answer Prometheus."""
        return Response(self.metrics.text(), media_type=self.metrics.content_type)

    @property
    def _state(self) -> str:
        if self.stopping:
            return "stopping"
        if self.served.failed:
            return "failed"
        return "ok" if self._is_ready else "loading"

    @property
    def _is_ready(self) -> bool:
        return self.served.ready and not self.stopping


def create_app(server: Server) -> Starlette:
    """Make the application; the models are started and stopped by whoever runs it.

    Args:
        server: What it is made of.
    """
    page, docs = Page(), Docs([model.id for model in server.served])
    answer = Reranking(served=server.served, bodies=server.bodies, limits=server.limits).answer
    routes = [
        *(Route(path, answer, methods=["POST"]) for path in ROUTES),
        Route("/ping", server.ping),
        Route("/health", server.health),
        Route("/v1/models", server.models),
        Route("/v1/models/{name:path}", server.model),
        Route("/metrics", server.counts),
        Route("/openapi.json", docs.openapi),
        Route("/docs", docs.page),
        Route("/docs/style.css", docs.style),
        Route("/", page.index),
        Route("/page/{name}", page.file),
    ]
    paths = frozenset(route.path.partition("/{")[0] or "/" for route in routes)
    frame = Middleware(
        Frame,
        access=server.access,
        metrics=server.metrics,
        routes=paths,
        closing=lambda: server.stopping,
    )
    app = Starlette(
        routes=routes,
        middleware=around(server.access, frame),
        exception_handlers={
            404: partial(_refuse, NOT_FOUND, "Invalid endpoint"),
            405: partial(_refuse, WRONG_METHOD, "Method Not Allowed"),
        },
    )
    # It would take the address from the request.
    app.router.redirect_slashes = False
    return app


async def _refuse(reason: Reason, message: str, _: Request, error: HTTPException) -> Response:
    """Turn what the router says into a refusal, for the frame to answer."""
    raise Refusal(reason, message, headers=error.headers) from None
