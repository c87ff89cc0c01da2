"""`JinaRerank`: LangChain documents in and out of `jina_rerank.Reranker`, which does the rest."""

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, Self

from langchain_core.callbacks import Callbacks
from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.runnables.config import (
    ensure_config,
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
)
from pydantic import ConfigDict, SerializationInfo, WithJsonSchema, model_serializer

from jina_rerank import Backend, Ranking, Reranker

DISTRIBUTION = "langchain-jina-rerank"
OWN = ("top_n", "score_threshold", "keep_retrieval_score")
SCORES = ("retrieval_score", "relevance_score", "score")
"""Where a document's metadata may hold the score that it was retrieved with, the oldest first."""


class JinaRerank(BaseDocumentCompressor, BaseCrossEncoder):
    """Sorts documents by their relevance to a query and keeps the best.

    A document compressor for `ContextualCompressionRetriever` and `DocumentCompressorPipeline`,
    a cross-encoder for `CrossEncoderReranker`, and with `as_runnable` a step of a chain. The
    documents returned are copies with the relevance in `metadata["relevance_score"]`; the ones
    given stay as they are. A blank document comes last with score 0.0.

    The model loads on first use, or with `compressor.reranker.load()`. The constructor checks its
    arguments; nothing is loaded, connected or read from the environment before it is needed. One
    compressor serves many threads and event loops. Dumps and pickles hold every argument but the
    keys.

    Args:
        model: `turbo`, `tiny`, `nano`, ..., a directory, a Hugging Face id, or a name that the
            chosen service knows.
        backend: `"local"`, `"api"`, `"sagemaker"`, or a `jina_rerank.Backend`; None chooses by
            the other arguments: `local`, if they say nothing about a service.
        top_n: How many documents to keep; None keeps all.
        score_threshold: Keep documents with a score of at least this; applied before `top_n`.
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
        revision: Commit, branch or tag of the hub repository; None is the pinned one for models
            of the table, else the newest.
        cache_dir: Where hub files are kept; None is the hub's own cache.
        local_files_only: Use only what is already on this machine.
        token: Hugging Face token, as a string or `SecretStr`; None uses that of `hf auth login`.
        api_key: Key of the service, as a string or `SecretStr`; it chooses `backend="api"`. None
            reads `JINA_API_KEY`, or else `JINAAI_API_KEY`, when a service needs a key.
        base_url: The service's address; None is Jina's.
        dialect: The service's wire format: `"jina"`, `"cohere"` or `"tei"`; None finds out.
        headers: Headers added to each request. Those that may hold a secret are never dumped.
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
            first `top_n` documents as they came, without a rerank score.
        jina_api_key: Another name for `api_key`, the one of langchain-community.
        keep_retrieval_score: Keep the score that a document came with, in its metadata under
            `relevance_score` or else `score`, as `metadata["retrieval_score"]` of the copy.
        reranker: A `jina_rerank.Reranker` to share with other compressors and threads instead of
            an own one. It stays yours to close, and only `top_n`, `score_threshold` and
            `keep_retrieval_score` can be given beside it; where the first two are None, its own
            apply.

    Raises:
        TypeError: An argument is unknown or has the wrong type.
        ValueError: An argument is out of range, or contradicts another.

    >>> compressor = JinaRerank(model="nano", top_n=1)
    >>> documents = [
    ...     Document("Bread rises because yeast makes gas."),
    ...     Document("Mars looks red because of iron rust."),
    ... ]
    >>> compressor.compress_documents(documents, "Which planet is red?")[0].page_content
    'Mars looks red because of iron rust.'
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", hide_input_in_errors=True
    )

    reranker: Annotated[Reranker, WithJsonSchema(None)]
    top_n: int | None
    score_threshold: float | None
    keep_retrieval_score: bool

    def __init__(  # noqa: PLR0913 - what users can say, each by its name
        self,
        model: str | os.PathLike[str] = "turbo",
        *,
        backend: str | Backend | None = None,
        top_n: int | None = 3,
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
        jina_api_key: Any = None,
        keep_retrieval_score: bool = False,
        reranker: Reranker | None = None,
    ) -> None:
        given = dict(locals())  # first of all: nothing but the arguments is there yet
        if jina_api_key is not None:
            if api_key is not None:
                msg = "api_key and jina_api_key are the same: drop one of the two"
                raise ValueError(msg)
            given["api_key"] = jina_api_key
        engine = Reranker.for_adapter(given, reranker=reranker, agent=DISTRIBUTION)
        super().__init__(**{name: given[name] for name in OWN} | {"reranker": engine})

    @property
    def model(self) -> str:
        """The model as it was asked for."""
        return self.reranker.model

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Keep the documents most relevant to the query.

        Args:
            documents: The candidates, in any order.
            query: What is searched for; a blank one is a `ValueError`.
            callbacks: Told of the run, named `JinaRerank`; its output holds the documents, the
                model, and the usage (`total_tokens`). None is those of the surrounding run.

        Returns:
            Copies of the documents kept, best first, with `metadata["relevance_score"]`.

        Raises:
            TypeError: The query or a document is not text.
            ValueError: The query is blank, `top_n` is below 1, or a text is not valid Unicode.
            JinaRerankError: The model could not be loaded or the service did not answer.
        """
        run = get_callback_manager_for_config(_config(callbacks)).on_chain_start(
            None, _inputs(documents, query), name=type(self).__name__
        )
        try:
            ranking = self.reranker.rank(query, _texts(documents), **self._cut())
            output = self._output(documents, ranking)
        except BaseException as error:
            run.on_chain_error(error)
            raise
        run.on_chain_end(output)
        return output["documents"]  # type: ignore[no-any-return] # put there by `_output`

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Do what `compress_documents` does without blocking the event loop."""
        run = await get_async_callback_manager_for_config(_config(callbacks)).on_chain_start(
            None, _inputs(documents, query), name=type(self).__name__
        )
        try:
            ranking = await self.reranker.arank(query, _texts(documents), **self._cut())
            output = self._output(documents, ranking)
        except BaseException as error:
            await run.on_chain_error(error)
            raise
        await run.on_chain_end(output)
        return output["documents"]  # type: ignore[no-any-return] # put there by `_output`

    def as_runnable(self) -> RunnableLambda[dict[str, Any], list[Document]]:
        """Make a step of a chain: from `{"query": ..., "documents": [...]}` to the documents kept.

        >>> from langchain_core.runnables import RunnablePassthrough
        >>> retriever = lambda query: [Document("The sea is blue."), Document("Mars is red.")]
        >>> step = JinaRerank(model="nano", top_n=1).as_runnable()
        >>> chain = {"query": RunnablePassthrough(), "documents": retriever} | step
        >>> [document.page_content for document in chain.invoke("Which planet is red?")]
        ['Mars is red.']
        """

        def rerank(inputs: dict[str, Any]) -> list[Document]:
            return self.compress_documents(inputs["documents"], inputs["query"])

        async def arerank(inputs: dict[str, Any]) -> list[Document]:
            return await self.acompress_documents(inputs["documents"], inputs["query"])

        return RunnableLambda(rerank, arerank, name="rerank")

    def rerank(
        self,
        documents: Sequence[str | Document | Mapping[str, Any]],
        query: str,
        *,
        top_n: int | None = -1,
    ) -> list[dict[str, Any]]:
        """Rank texts, documents or mappings with `"text"`, and return numbers alone.

        Args:
            documents: The candidates, in any order.
            query: What is searched for; a blank one is a `ValueError`.
            top_n: How many to keep; None keeps all, -1 is the constructor's.

        Returns:
            Best first, the `index` of each in `documents` and its `relevance_score`, which is None
            if the backend failed and `on_error="keep-order"`; raises as `compress_documents` does.
        """
        return _numbers(self.reranker.rank(query, _texts(documents), **self._cut(top_n)))

    async def arerank(
        self,
        documents: Sequence[str | Document | Mapping[str, Any]],
        query: str,
        *,
        top_n: int | None = -1,
    ) -> list[dict[str, Any]]:
        """Do what `rerank` does without blocking the event loop."""
        return _numbers(await self.reranker.arank(query, _texts(documents), **self._cut(top_n)))

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """Score pairs of a query and a text, as `CrossEncoderReranker(model=...)` asks for.

        Args:
            text_pairs: The pairs; those that follow each other with the same query are one list.

        Returns:
            One score per pair, in their order. Failures are raised, whatever `on_error` says.
        """
        requests = [
            (query, [text for _, text in pairs])
            for query, pairs in groupby(text_pairs, key=itemgetter(0))
        ]
        return [score for scores in self.reranker.score_many(requests) for score in scores]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy; the copy shares the model unless `deep`.

        Args:
            update: New values of `top_n`, `score_threshold`, `keep_retrieval_score` or `reranker`.
            deep: Copy the reranker, too, without its keys and its model.

        Raises:
            ValueError: Another argument was to be changed, for which pydantic would not check.
        """
        told = [name for name in update or () if name not in type(self).model_fields]
        if told:
            msg = f"{', '.join(told)} cannot change in a copy: say it to a new JinaRerank(...)"
            raise ValueError(msg)
        return super().model_copy(update=update, deep=deep)

    @model_serializer
    def _dump(self, info: SerializationInfo) -> dict[str, Any]:
        """Write down the arguments, without keys: `JinaRerank(**compressor.model_dump())`."""
        json = info.mode_is_json()
        core = self.reranker.to_dict() if json else self.reranker.settings.arguments()
        # None means the reranker's own limit, which a shared one may have.
        own = {name: value for name in OWN if (value := getattr(self, name)) is not None}
        left_out = info.exclude or ()
        return {
            name: value
            for name, value in {**core, **own}.items()
            if name not in left_out and (info.include is None or name in info.include)
        }

    def _cut(self, top_n: int | None = -1) -> dict[str, Any]:
        return {
            "top_n": self.top_n if top_n == -1 else top_n,
            "score_threshold": self.score_threshold,
        }

    def _output(self, documents: Sequence[Document], ranking: Ranking[Any]) -> dict[str, Any]:
        return {
            "documents": [self._scored(documents[item.index], item.score) for item in ranking],
            "model": ranking.model,
            "usage": {"total_tokens": ranking.usage.total_tokens},
            "failed": ranking.failed,
        }

    def _scored(self, document: Document, score: float | None) -> Document:
        """Copy a document; without a score, when ranking failed, it stays as it was retrieved."""
        metadata = dict(document.metadata)
        if score is not None:
            retrieved = [metadata[name] for name in SCORES if name in metadata]
            if self.keep_retrieval_score and retrieved:
                metadata["retrieval_score"] = retrieved[0]
            metadata["relevance_score"] = score
        return document.model_copy(update={"metadata": metadata})


def _config(callbacks: Callbacks | None) -> RunnableConfig:
    """Name the callbacks and what else is inherited: from the surrounding run, if None are given."""
    return ensure_config(RunnableConfig(callbacks=callbacks))


def _inputs(documents: Sequence[Document], query: str) -> dict[str, Any]:
    return {"query": query, "documents": list(documents)}


def _texts(documents: Sequence[str | Document | Mapping[str, Any]]) -> list[Any]:
    return [item.page_content if isinstance(item, Document) else item for item in documents]


def _numbers(ranking: Ranking[Any]) -> list[dict[str, Any]]:
    return [{"index": item.index, "relevance_score": item.score} for item in ranking]
