"""`JinaRanker`: Haystack documents in and out of `jina_rerank.Reranker`, which does the rest."""

import asyncio
import operator
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import signature
from math import inf
from typing import Any, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import ComponentDevice, Secret
from haystack.utils.auth import EnvVarSecret

from jina_rerank import Backend, JinaRerankError, MissingDependencyError, Ranking, Reranker

DISTRIBUTION = "jina-rerank-haystack"
PER_CALL = ("top_n", "score_threshold")
SECRETS = ("api_key", "token")
OWN = {
    "query_prefix": str,
    "query_suffix": str,
    "document_prefix": str,
    "document_suffix": str,
    "meta_fields_to_embed": list | None,
    "embedding_separator": str,
    "keep_retrieval_score": bool,
}


@component
class JinaRanker:
    """Ranks documents by their relevance to a query, best first.

    The model loads in `warm_up`, or on first use. Nothing is loaded, connected or resolved in the
    constructor. One ranker serves many threads and event loops.

    Documents with the same id are ranked once, the one with the highest retrieval score. The
    documents returned are copies whose `score` is the relevance; the ones given stay as they are.
    A document without text (an image, say) comes last with score 0.0.

    Args:
        model: `turbo`, `tiny`, `nano`, ..., a directory, a Hugging Face id, or a name that the
            chosen service knows.
        api_key: Key of the service, as a `Secret` or a string; it chooses `backend="api"`. None
            reads `JINA_API_KEY`, or else `JINAAI_API_KEY`, when a service needs a key. One from
            `Secret.from_token`, or a string, cannot be saved with a pipeline.
        top_k: How many documents to return; None returns all.
        score_threshold: Return documents with a score of at least this; applied before `top_k`.
        query_prefix: Put before the query, for models that were trained with an instruction.
        query_suffix: Put after the query.
        document_prefix: Put before each document.
        document_suffix: Put after each document.
        meta_fields_to_embed: Fields of `Document.meta` to read before the content, such as a
            title; a document that lacks one goes without.
        embedding_separator: Put between these fields and the content.
        keep_retrieval_score: Keep the score that a document came with, in the copy's
            `meta["retrieval_score"]`; a prompt holds it only if its template asks for it.
        reranker: A `jina_rerank.Reranker` to share with other rankers and threads instead of an
            own one. It stays yours to close, and only Haystack's own arguments, `top_k` and
            `score_threshold` can be given beside it; where these two are None, its own apply.
        backend: `"local"`, `"api"`, `"sagemaker"`, or a `jina_rerank.Backend`; None chooses by
            the other arguments: `local`, if they say nothing about a service.
        max_length: The longest input in tokens; None is the context of the model (8,192 for v1).
        overlength: `"truncate"` cuts longer input; `"window"` reads it in overlapping windows and
            takes the best.
        max_query_length: The longest query in tokens; None is 512 with `overlength="window"`, else
            no limit of its own.
        overlap: Tokens that neighbouring windows share.
        device: `"cpu"`, `"cuda"`, ..., or a single `ComponentDevice`; None is the GPU if CUDA has
            one, else the CPU.
        dtype: `"auto"`, `"float32"`, `"bfloat16"`, `"float16"` or `"float64"`. `"auto"` is
            bfloat16 for JinaBERT where the hardware computes in it, else float32.
        batch_tokens: Tokens in one forward pass, which bounds the memory; None is 8,192 on the CPU
            and 65,536 on a GPU.
        compile: Compile the model with `torch.compile`.
        revision: Commit, branch or tag of the hub repository; None is the pinned one.
        cache_dir: Where hub files are kept; None is the hub's own cache.
        local_files_only: Use only what is already on this machine.
        token: Hugging Face token, as a `Secret` or a string; None uses that of `hf auth login`.
        base_url: The service's address: a host, a root such as `.../v1`, or the full URL; None is
            Jina's.
        dialect: The service's wire format: `"jina"`, `"cohere"` or `"tei"`; None finds out.
        headers: Headers added to each request. Those that may hold a secret are never saved.
        verify: TLS verification: a bool, the path of a CA file, or an `ssl.SSLContext`.
        timeout: Seconds to wait for a connection and for a read, one number or a pair.
        deadline: Seconds for a whole call, retries included; None is no limit.
        attempts: How often a request is tried; None is 3.
        max_concurrency: Requests under way at once; None is 2.
        max_documents_per_request: Longer lists are split over requests; None is the backend's own
            limit.
        requests_per_minute: Requests to start in any minute; None is no limit.
        tokens_per_minute: Tokens to send in any minute; None is no limit.
        split: `"allow"` permits splitting for listwise models, whose scores it changes.
        http_client: An HTTP client to use instead of an own one.
        endpoint_name: The SageMaker endpoint.
        region: AWS region; None is that of the AWS configuration.
        profile: AWS profile; None is that of the AWS configuration.
        inference_component: The SageMaker inference component.
        target_variant: The SageMaker production variant.
        cache: Keep scores between calls: how many, or a store with `get` and `set`.
        show_progress: Show a progress bar on standard error.
        on_error: What a run does when the backend fails: `"raise"`, or `"keep-order"` to return
            the documents unranked and unchanged, with `meta["failed"]` true.

    Raises:
        TypeError: An argument is unknown or has the wrong type.
        ValueError: An argument is out of range, or contradicts another.

    >>> ranker = JinaRanker(model="nano", top_k=1)
    >>> documents = [
    ...     Document(content="Bread rises because yeast makes gas."),
    ...     Document(content="Mars looks red because of iron rust."),
    ... ]
    >>> ranker.run(query="Which planet is red?", documents=documents)["documents"][0].content
    'Mars looks red because of iron rust.'
    """

    def __init__(  # noqa: PLR0913 - what users can say, each by its name
        self,
        model: str | os.PathLike[str] = "turbo",
        api_key: Secret | str | None = None,
        top_k: int | None = None,
        score_threshold: float | None = None,
        *,
        query_prefix: str = "",
        query_suffix: str = "",
        document_prefix: str = "",
        document_suffix: str = "",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        keep_retrieval_score: bool = False,
        reranker: Reranker | None = None,
        backend: str | Backend | None = None,
        max_length: int | None = None,
        overlength: str = "truncate",
        max_query_length: int | None = None,
        overlap: int = 80,
        device: Any = None,
        dtype: Any = "auto",
        batch_tokens: int | None = None,
        compile: bool = False,  # noqa: A002 - PyTorch's own word
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: Secret | str | None = None,
        base_url: str | None = None,
        dialect: str | None = None,
        headers: Mapping[str, str] | None = None,
        verify: Any = True,
        timeout: float | tuple[float, float] | None = None,
        deadline: float | None = None,
        attempts: int | None = None,
        max_concurrency: int | None = None,
        max_documents_per_request: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        split: str | None = None,
        http_client: Any = None,
        endpoint_name: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        inference_component: str | None = None,
        target_variant: str | None = None,
        cache: Any = None,
        show_progress: bool = False,
        on_error: str = "raise",
    ) -> None:
        given = dict(locals())  # first of all: nothing but the arguments is there yet
        del given["self"]
        for name, kind in OWN.items():
            _check_type(name, given[name], kind)
        _check_top_k(top_k)
        self.api_key = given["api_key"] = _secret(api_key)
        self.token = given["token"] = _secret(token)
        if isinstance(device, ComponentDevice):
            given["device"] = device.to_torch_str()
        self.top_k = top_k
        self.score_threshold = score_threshold
        self.query_prefix = query_prefix
        self.query_suffix = query_suffix
        self.document_prefix = document_prefix
        self.document_suffix = document_suffix
        self.meta_fields_to_embed = meta_fields_to_embed
        self.embedding_separator = embedding_separator
        self.keep_retrieval_score = keep_retrieval_score
        # In a closure, where nobody prints it: headers may hold a key.
        self._renew: Callable[[], Reranker] = lambda: Reranker.for_adapter(
            given, reranker=reranker, agent=DISTRIBUTION
        )
        self.reranker = self._renew()  # checks every argument, and builds nothing

    # Haystack's metaclass would show (*args, **kwargs) to whoever asks: notebooks, `help`, Sphinx.
    __signature__ = signature(partial(__init__, None))  # type: ignore[arg-type] # self

    @property
    def model(self) -> str:
        """The model as it was asked for."""
        return self.reranker.model

    def warm_up(self) -> None:
        """Load the model, unless it is there already.

        Raises:
            JinaRerankError: It could not be loaded. With `on_error="keep-order"` that is left to
                `run`, which then keeps the order; a missing library is raised all the same.
        """
        try:
            self.reranker.load()
        except JinaRerankError as error:
            keep_order = self.reranker.settings.on_error == "keep-order"
            if isinstance(error, MissingDependencyError) or not keep_order:
                raise

    async def warm_up_async(self) -> None:
        """Do what `warm_up` does without blocking the event loop."""
        await asyncio.to_thread(self.warm_up)

    def close(self) -> None:
        """Free the model or the connections; the next run takes them up again.

        A shared `reranker` is left open.
        """
        used, self.reranker = self.reranker, self._renew()
        if used is not self.reranker:
            used.close()

    async def close_async(self) -> None:
        """Do what `close` does without blocking the event loop."""
        used, self.reranker = self.reranker, self._renew()
        if used is not self.reranker:
            await used.aclose()

    def to_dict(self) -> dict[str, Any]:
        """Write the component down, with every argument and without secrets.

        A shared `reranker` is written as its own arguments. Keys come from the environment: a
        `Secret.from_env_var` is written as the name of its variable.

        Raises:
            ValueError: An argument is a key itself, or an object that cannot be written down.
        """
        return default_to_dict(self, **self._arguments(self.reranker.to_dict()))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make the component again from what `to_dict` wrote."""
        return default_from_dict(cls, data)

    @component.output_types(documents=list[Document], meta=dict[str, Any])
    def run(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None = None,
        score_threshold: float | None = None,
    ) -> dict[str, Any]:
        """Rank documents by their relevance to the query.

        Args:
            query: What is searched for; a blank one is a `ValueError`.
            documents: The candidates, in any order.
            top_k: How many documents to return; None is the constructor's.
            score_threshold: The lowest score to return; None is the constructor's.

        Returns:
            `documents`, best first, and `meta` with the `model`, the `usage` (`total_tokens`), and
            `failed`: whether the backend failed and the documents are in input order. Both are
            there on every path.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: The query is blank, `top_k` is not above 0, or a text is not valid Unicode.
            JinaRerankError: The model could not be loaded or the service did not answer.
        """
        call = self._call(query, documents, top_k, score_threshold)
        return self._output(self.reranker.rank(**call))

    @component.output_types(documents=list[Document], meta=dict[str, Any])
    async def run_async(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None = None,
        score_threshold: float | None = None,
    ) -> dict[str, Any]:
        """Do what `run` does without blocking the event loop."""
        call = self._call(query, documents, top_k, score_threshold)
        return self._output(await self.reranker.arank(**call))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments, without keys and without the model."""
        arguments = self._arguments(self.reranker.settings.arguments())
        keys = [name for name in SECRETS if not isinstance(arguments[name], EnvVarSecret)]
        return partial(type(self), **arguments | dict.fromkeys(keys)), ()

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Make a ranker with the same arguments, and no model yet: keys stay in the process."""
        settings = self.reranker.settings
        core = {name: getattr(settings, name) for name in settings.arguments()}
        return type(self)(**self._arguments(core))

    def _arguments(self, core: dict[str, Any]) -> dict[str, Any]:
        """Return the constructor's arguments, given those of the reranker."""
        top_n, threshold = (core.pop(name) for name in PER_CALL)
        return {
            **core,
            **{name: getattr(self, name) for name in (*OWN, *SECRETS)},
            "top_k": _first(_plain(self.top_k, operator.index), top_n),
            "score_threshold": _first(_plain(self.score_threshold, float), threshold),
        }

    def _call(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None,
        score_threshold: float | None,
    ) -> dict[str, Any]:
        _check_top_k(top_k)
        return {
            "query": _between(self.query_prefix, query, self.query_suffix),
            "documents": [{"text": self._text(d), "document": d} for d in _distinct(documents)],
            "top_n": _first(top_k, self.top_k),
            "score_threshold": _first(score_threshold, self.score_threshold),
        }

    def _text(self, document: Document) -> str:
        fields = [document.meta.get(name) for name in self.meta_fields_to_embed or ()]
        parts = [*(str(field) for field in fields if field is not None), document.content or ""]
        body = self.embedding_separator.join(parts)
        return _between(self.document_prefix, body, self.document_suffix)

    def _output(self, ranking: Ranking[dict[str, Any]]) -> dict[str, Any]:
        usage = {"total_tokens": ranking.usage.total_tokens}
        return {
            "documents": [self._scored(item.document["document"], item.score) for item in ranking],
            "meta": {"model": ranking.model, "usage": usage, "failed": ranking.failed},
        }

    def _scored(self, document: Document, score: float | None) -> Document:
        if score is None:
            return document
        meta = dict(document.meta)
        if self.keep_retrieval_score and document.score is not None:
            meta.setdefault("retrieval_score", document.score)  # a reranker before may have kept it
        return replace(document, score=score, meta=meta)


def _check_top_k(top_k: int | None) -> None:
    """Raise unless `top_k` is None or an integer above 0; the core would call it `top_n`."""
    if top_k is not None and (isinstance(top_k, bool) or not hasattr(top_k, "__index__")):
        msg = f"top_k must be an integer, got {type(top_k).__name__}"
        raise TypeError(msg)
    if top_k is not None and top_k <= 0:
        msg = f"top_k must be > 0, but got {top_k}"
        raise ValueError(msg)


def _check_type(name: str, value: object, kind: Any) -> None:
    if not isinstance(value, kind):
        msg = f"{name} must be {getattr(kind, '__name__', kind)}, got {type(value).__name__}"
        raise TypeError(msg)


def _secret(value: Any) -> Any:
    """Mask a key that is none of Haystack's secrets; a blank one is left to the core to refuse."""
    key = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return Secret.from_token(key) if isinstance(key, str) and key.strip() else value


def _between(prefix: str, text: str, suffix: str) -> str:
    """Put a prefix and a suffix around a text, and nothing around no text."""
    return f"{prefix}{text}{suffix}" if isinstance(text, str) and text.strip() else text


def _distinct(documents: list[Document]) -> list[Document]:
    """Keep one document of each id, the one with the highest score, where the first stood."""
    best: dict[str, Document] = {}
    for document in documents:
        rival = best.setdefault(document.id, document)
        if _first(document.score, -inf) > _first(rival.score, -inf):
            best[document.id] = document
    return list(best.values())


def _plain(value: Any, kind: Callable[[Any], Any]) -> Any:
    """Write NumPy's numbers as Python's."""
    return kind(value) if value is not None else None


def _first(value: Any, other: Any) -> Any:
    """Return the value, or the other if there is none: 0.0 is a value."""
    return value if value is not None else other
