"""`JinaRerank`: LlamaIndex nodes in and out of `jina_rerank.Reranker`, which does the rest."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # not in an __all__
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from jina_rerank import Backend, Ranking, Reranker

DISTRIBUTION = "llama-index-postprocessor-jina-rerank"
PER_CALL = ("top_n", "score_threshold")
OWN = (*PER_CALL, "metadata_mode", "keep_retrieval_score")
RETRIEVAL_SCORE = "retrieval_score"

dispatcher = get_dispatcher(__name__)


class JinaRerank(BaseNodePostprocessor):
    """Keeps the nodes most relevant to the query, best first.

    The model loads on first use, or with `reranker.load()`; nothing is loaded, connected or read
    from the environment in the constructor. One instance serves many threads and event loops.

    The nodes returned are copies whose `score` is the relevance; the ones given stay as they are.
    A node without text (an image, say) comes last with score 0.0. `to_dict`, `to_json` and pickle
    keep every argument but the secrets, which the other side finds in its environment, and the
    callback manager.

    Args:
        model: `turbo`, `tiny`, `base`, `nano`, ..., a directory, a Hugging Face id, or a name that
            the chosen service knows.
        backend: `"local"`, `"api"`, `"sagemaker"`, or a `jina_rerank.Backend`; None chooses by
            the other arguments: `local`, if they say nothing about a service.
        top_n: How many nodes to keep; None keeps all.
        score_threshold: Keep nodes with a score of at least this; applied before `top_n`.
        max_length: The longest input in tokens; None is the context of the model (8,192 for v1).
        overlength: `"truncate"` cuts longer input; `"window"` reads it in overlapping windows and
            takes the best.
        max_query_length: The longest query in tokens; None is 512 with `overlength="window"`, else
            no limit of its own.
        overlap: Tokens that neighbouring windows share.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`, or a `torch.device`; None is the GPU if
            CUDA has one, else the CPU.
        dtype: `"auto"`, `"float32"`, `"bfloat16"`, `"float16"` or `"float64"`. `"auto"` is
            bfloat16 for JinaBERT where the hardware computes in it, else float32.
        batch_tokens: Tokens in one forward pass, which bounds the memory; None is 8,192 on the CPU
            and 65,536 on a GPU.
        compile: Compile the model with `torch.compile`.
        revision: Commit, branch or tag of the hub repository; None is the pinned one.
        cache_dir: Where hub files are kept; None is the hub's own cache.
        local_files_only: Use only what is already on this machine.
        token: Hugging Face token, a string or a `SecretStr`; None uses that of `hf auth login`.
        api_key: Key of the service, a string or a `SecretStr`; it chooses `backend="api"`. None
            reads `JINA_API_KEY`, or else `JINAAI_API_KEY`, when a service needs a key.
        base_url: The service's address, such as `http://localhost:8080/v1`; None is Jina's.
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
        on_error: What happens when the backend fails: `"raise"`, or `"keep-order"` to keep the
            first `top_n` nodes as they came, with the scores of the retriever.
        metadata_mode: Which metadata is read with the text: `MetadataMode.EMBED` is what the
            embedding model reads, `MetadataMode.NONE` is the text alone.
        keep_retrieval_score: Keep the score that a node came with as
            `metadata["retrieval_score"]` of a copy, which neither the language model nor an
            embedding model gets to read.
        callback_manager: Told of each call, as is LlamaIndex's instrumentation.
        reranker: A `jina_rerank.Reranker` to share with other postprocessors and threads instead
            of an own one. It stays yours to close, and only `top_n`, `score_threshold`,
            `metadata_mode`, `keep_retrieval_score` and `callback_manager` can be given beside it;
            where the first two are None, its own apply.

    Raises:
        TypeError: An argument is unknown or has the wrong type.
        ValueError: An argument is out of range, or contradicts another.

    >>> from llama_index.core.schema import TextNode
    >>> texts = ["Bread rises because yeast makes gas.", "Mars looks red because of iron rust."]
    >>> nodes = [NodeWithScore(node=TextNode(text=text)) for text in texts]
    >>> rerank = JinaRerank(model="nano", top_n=1)
    >>> rerank.postprocess_nodes(nodes, query_str="Which planet is red?")[0].text
    'Mars looks red because of iron rust.'
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_assignment=True,
    )

    reranker: Annotated[Reranker, WithJsonSchema(None)] = Field(exclude=True)
    top_n: int | None
    score_threshold: float | None
    metadata_mode: MetadataMode
    keep_retrieval_score: bool

    def __init__(  # noqa: PLR0913 - what users can say, each by its name
        self,
        model: str | os.PathLike[str] = "turbo",
        *,
        backend: str | Backend | None = None,
        top_n: int | None = 2,
        score_threshold: float | None = None,
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
        token: Any = None,
        api_key: Any = None,
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
        metadata_mode: MetadataMode | str = MetadataMode.EMBED,
        keep_retrieval_score: bool = False,
        callback_manager: CallbackManager | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        given = dict(locals())  # first of all: nothing but the arguments is there yet
        engine = Reranker.for_adapter(given, reranker=reranker, agent=DISTRIBUTION)
        manager = callback_manager if callback_manager is not None else CallbackManager()
        own = {name: given[name] for name in OWN}
        super().__init__(**own | {"reranker": engine, "callback_manager": manager})

    @classmethod
    def class_name(cls) -> str:
        """Name the class in what `to_dict` writes."""
        return "JinaRerank"

    @property
    def model(self) -> str:
        """The model as it was asked for."""
        return self.reranker.model

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments, without the secrets, the model and the callback manager."""
        fields = type(self).model_fields.keys() - {"callback_manager"}
        kept = {name: getattr(self, name) for name in fields}
        return partial(type(self), **kept), ()

    @model_serializer(mode="wrap")
    def custom_model_dump(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Write down the arguments as JSON values: `JinaRerank.from_dict(rerank.to_dict())`.

        Raises:
            ValueError: An argument is an object that cannot be written down; the message names it.
        """
        own = {name: value for name, value in handler(self).items() if value is not None}
        if "metadata_mode" in own:
            own["metadata_mode"] = self.metadata_mode.value
        core = {
            name: value
            for name, value in self.reranker.to_dict().items()
            if name not in (info.exclude or ()) and (not info.include or name in info.include)
        }
        return {**core, **own, "class_name": self.class_name()}

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        with self._observed(nodes, query_bundle) as end:
            query, texts = _query(query_bundle), self._texts(nodes)
            ranking = self.reranker.rank(query, texts, **self._cut())
            end.update(self._output(nodes, ranking))
        return end[EventPayload.NODES]  # type: ignore[no-any-return] # put there by `_output`

    @dispatcher.span  # the base class decorates only what it declares abstract
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        with self._observed(nodes, query_bundle) as end:
            query, texts = _query(query_bundle), self._texts(nodes)
            ranking = await self.reranker.arank(query, texts, **self._cut())
            end.update(self._output(nodes, ranking))
        return end[EventPayload.NODES]  # type: ignore[no-any-return] # put there by `_output`

    @contextmanager
    def _observed(
        self, nodes: list[NodeWithScore], query: QueryBundle | None
    ) -> Iterator[dict[str, Any]]:
        """Tell callbacks and instrumentation that a call starts and, whatever happens, ends."""
        top_n = self.top_n if self.top_n is not None else len(nodes)
        start: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query.query_str if query is not None else None,
            EventPayload.TOP_K: top_n,
        }
        end: dict[str, Any] = {EventPayload.NODES: []}
        dispatcher.event(
            ReRankStartEvent(query=query, nodes=nodes, top_n=top_n, model_name=self.model)
        )
        try:
            with self.callback_manager.event(CBEventType.RERANKING, payload=start) as event:
                yield end
                event.on_end(payload=end)
        finally:
            tags = {name: value for name, value in end.items() if name != EventPayload.NODES}
            dispatcher.event(ReRankEndEvent(nodes=end[EventPayload.NODES], tags=tags))

    def _texts(self, nodes: list[NodeWithScore]) -> list[str]:
        return [node.get_content(metadata_mode=self.metadata_mode) for node in nodes]

    def _cut(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in PER_CALL}

    def _output(self, nodes: list[NodeWithScore], ranking: Ranking[str]) -> dict[str, Any]:
        return {
            EventPayload.NODES: [self._scored(nodes[item.index], item.score) for item in ranking],
            "model": ranking.model,
            "usage": {"total_tokens": ranking.usage.total_tokens},
            "failed": ranking.failed,
        }

    def _scored(self, node: NodeWithScore, score: float | None) -> NodeWithScore:
        """Copy a node; without a score, when ranking failed, it stays as it was retrieved."""
        if score is None:
            return node.model_copy()
        inner = node.node
        kept = RETRIEVAL_SCORE in inner.metadata  # by a reranker before
        if self.keep_retrieval_score and node.score is not None and not kept:
            inner = _with_retrieval_score(inner, node.score)
        return node.model_copy(update={"node": inner, "score": score})


def _with_retrieval_score(node: BaseNode, score: float) -> BaseNode:
    """Copy a node, which the document store shares, and hide its new entry from every prompt."""
    hidden = {
        name: [*getattr(node, name), RETRIEVAL_SCORE]
        for name in ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys")
    }
    metadata = {**node.metadata, RETRIEVAL_SCORE: score}
    return node.model_copy(update={"metadata": metadata, **hidden})


def _query(bundle: QueryBundle | None) -> str:
    if bundle is None:
        msg = "a query is needed to rerank nodes: pass query_str or query_bundle"
        raise ValueError(msg)
    return bundle.query_str
