"""What the server counts, in Prometheus' words: names, units and labels in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper edges of the buckets of a duration."""

DOCUMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Upper edges of the buckets of a number of documents."""

TOKENS = (128, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
"""Upper edges of the buckets of a number of tokens."""


class Metrics:
    r"""The server's own registry: two servers in one process share no number.

    Labels have few values: a route, a model by the name that clients use, an HTTP status, a kind of
    error. No text and no key is one.

    Attributes:
        requests: Answered requests, by route, model (empty for those that reached none) and status.
        seconds: How long answers took, by route, from the request's head to the answer's last byte.
        errors: Refused and failed requests, by route and kind, such as `busy`.
        in_flight: Requests whose answer is not sent.
        ready: 1 for a model that is loaded, else 0.
        queue: Documents that wait for a forward pass, by model.
        rejected: Requests that found the queue full, by model.
        cancelled: Requests whose caller left or whose deadline passed, by model.
        documents: Documents scored, by model.
        tokens: Tokens that the model read, by model.
        batch_documents: Documents of a pass, by model.
        batch_requests: Requests that shared a pass, by model.
        batch_tokens: Tokens of a pass, by model.
        batch_seconds: How long a pass took, by model.
        wait_seconds: How long a request waited for its first pass, by model.

    >>> metrics = Metrics()
    >>> metrics.tokens.labels("turbo").inc(7)
    >>> "jina_rerank_tokens_total{model=\"turbo\"} 7.0" in metrics.text().decode()
    True
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        by_model = ("model",)
        self.requests = Counter(
            "jina_rerank_requests",
            "Answered requests.",
            ("route", "model", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "jina_rerank_request_seconds",
            "How long an answer took.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.errors = Counter(
            "jina_rerank_errors",
            "Refused and failed requests.",
            ("route", "kind"),
            registry=registry,
        )
        self.in_flight = Gauge(
            "jina_rerank_requests_in_flight", "Requests not answered yet.", registry=registry
        )
        self.ready = Gauge(
            "jina_rerank_model_ready", "1 if the model is loaded.", by_model, registry=registry
        )
        self.queue = Gauge(
            "jina_rerank_queue_documents",
            "Documents that wait for a forward pass.",
            by_model,
            registry=registry,
        )
        self.rejected = Counter(
            "jina_rerank_rejected",
            "Requests that found the queue full.",
            by_model,
            registry=registry,
        )
        self.cancelled = Counter(
            "jina_rerank_cancelled",
            "Requests whose caller left or whose deadline passed.",
            by_model,
            registry=registry,
        )
        self.documents = Counter(
            "jina_rerank_documents", "Documents scored.", by_model, registry=registry
        )
        self.tokens = Counter(
            "jina_rerank_tokens", "Tokens that the model read.", by_model, registry=registry
        )
        self.batch_documents = Histogram(
            "jina_rerank_batch_documents",
            "Documents of a pass.",
            by_model,
            buckets=DOCUMENTS,
            registry=registry,
        )
        self.batch_requests = Histogram(
            "jina_rerank_batch_requests",
            "Requests that shared a pass.",
            by_model,
            buckets=DOCUMENTS,
            registry=registry,
        )
        self.batch_tokens = Histogram(
            "jina_rerank_batch_tokens",
            "Tokens of a pass.",
            by_model,
            buckets=TOKENS,
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "jina_rerank_batch_seconds",
            "How long a pass took.",
            by_model,
            buckets=SECONDS,
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "jina_rerank_queue_seconds",
            "How long a request waited for its first pass.",
            by_model,
            buckets=SECONDS,
            registry=registry,
        )

    def text(self) -> bytes:
        """Write all numbers in the text format that Prometheus scrapes."""
        return generate_latest(self.registry)
