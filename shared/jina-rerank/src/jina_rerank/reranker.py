"""`Reranker`: check the arguments, ask the backend, sort, cut."""

import importlib
import logging
import operator
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from inspect import signature
from traceback import format_tb
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from .backends.base import Backend
from .cache import LeastRecentlyUsed, ScoreCache, complete, recall
from .errors import JinaRerankError, MissingDependencyError
from .jobs import Cut, Job
from .models import find
from .settings import Settings
from .types import D, Ranking, Request, Scores

PER_CALL = ("top_n", "score_threshold")
"""What can be said in a call as well as in the constructor."""

logger = logging.getLogger("jina_rerank")


class Reranker:
    """Sorts documents by their relevance to a query.

    The model loads on first use, or with `load`. One instance serves many threads and event
    loops, and works in forked children. The keywords are checked here; nothing is loaded,
    connected or read from the environment before it is needed.

    Args:
        model: A name of the model table (`turbo`, `tiny`, `base`, `nano`, ...), a directory, a
            Hugging Face id, or any name that the chosen service knows.
        backend: `"local"`, `"api"`, `"sagemaker"`, or a `Backend` instance, which stays the
            caller's to close. None chooses: `sagemaker` if `endpoint_name` is given, `api` if
            `api_key` or `base_url` is given or the model exists only there, else `local`.
        top_n: How many documents `rank` keeps; None keeps all.
        score_threshold: `rank` keeps scores of at least this; applied before `top_n`.
        max_length: The longest input in tokens, special tokens included; None is the context of
            the model (8,192 for v1), more than that is a `ValueError`.
        overlength: What happens to longer input: `"truncate"` cuts the longer of query and
            document first; `"window"` scores overlapping windows of the document and takes the
            best.
        max_query_length: The longest query in tokens, its special tokens included. With it the
            query is cut to this length and to no other, and the document gives way; None is 512
            with `overlength="window"`, and no limit of its own otherwise.
        overlap: Tokens that neighbouring windows share.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`, or a `torch.device`; None is the GPU if
            CUDA has one, else the CPU.
        dtype: `"auto"`, `"float32"`, `"bfloat16"`, `"float16"` or `"float64"`. `"auto"` is
            bfloat16 for JinaBERT where the hardware computes in it, else float32.
        batch_tokens: Tokens in one forward pass, which bounds the memory; a single longer input
            is a pass of its own. None is 8,192 on the CPU and 65,536 on a GPU.
        compile: Compile the model with `torch.compile`: slower to start, needs a C++ compiler.
        revision: Commit, branch or tag of the hub repository; None is the pinned one for models
            of the table, else the newest.
        cache_dir: Where hub files are kept; None is the hub's own cache.
        local_files_only: Use only what is already on this machine.
        token: Hugging Face token, a string or a secret; None uses the one of `hf auth login`.
        api_key: Key of the service, a string or a secret; None reads the environment when needed.
        base_url: The service's address; None is Jina's.
        dialect: The service's wire format: `"jina"`, `"cohere"` or `"tei"`; None finds out.
        headers: Headers added to each request.
        verify: TLS verification: a bool, the path of a CA file, or an `ssl.SSLContext`.
        timeout: Seconds to wait for a connection and for a read, one number or a pair.
        deadline: Seconds for a whole call, retries included; None is no limit.
        attempts: How often a request is tried; None is 3.
        max_concurrency: Requests under way at once; None is 2.
        max_documents_per_request: Longer lists are split over requests; None is the backend's own
            limit.
        requests_per_minute: Requests to start in any minute, for a quota that others share; None
            is no limit.
        tokens_per_minute: Tokens to send in any minute, likewise: guessed from the texts, then
            counted as the service counts them.
        split: `"allow"` permits splitting for listwise models, whose scores it changes.
        http_client: An HTTP client to use instead of an own one.
        endpoint_name: The SageMaker endpoint.
        region: AWS region; None is that of the AWS configuration.
        profile: AWS profile; None is that of the AWS configuration.
        inference_component: The SageMaker inference component.
        target_variant: The SageMaker production variant.
        cache: Keep scores between calls: how many in memory, or a store of your own with ``get``
            and ``set`` (see `ScoreCache`). None keeps none.
        show_progress: Show a progress bar on standard error.
        on_error: What `rank` does when the backend fails: `"raise"`, or `"keep-order"` to return
            the documents in input order, marked `failed`, and log one warning. `score` always
            raises, and bad arguments always do.

    Raises:
        TypeError: A keyword is unknown or has the wrong type.
        ValueError: A keyword is out of range, or contradicts another.

    >>> reranker = Reranker("nano")
    >>> docs = ["Bread rises because yeast makes gas.", "Mars looks red because of iron rust."]
    >>> reranker.rank("Which planet is red?", docs, top_n=1)[0].document
    'Mars looks red because of iron rust.'
    """

    def __init__(  # noqa: PLR0913 - what users can say, each by its name
        self,
        model: str | os.PathLike[str] = "turbo",
        *,
        backend: str | Backend | None = None,
        top_n: int | None = None,
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
    ) -> None:
        self.settings = Settings(
            model=model,  # type: ignore[arg-type] # a path becomes a string there
            backend=backend,
            top_n=top_n,
            score_threshold=score_threshold,
            max_length=max_length,
            overlength=overlength,
            max_query_length=max_query_length,
            overlap=overlap,
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
            compile=compile,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            token=token,
            api_key=api_key,
            base_url=base_url,
            dialect=dialect,
            headers=headers,
            verify=verify,
            timeout=timeout,
            deadline=deadline,
            attempts=attempts,
            max_concurrency=max_concurrency,
            max_documents_per_request=max_documents_per_request,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            split=split,
            http_client=http_client,
            endpoint_name=endpoint_name,
            region=region,
            profile=profile,
            inference_component=inference_component,
            target_variant=target_variant,
            cache=cache,
            show_progress=show_progress,
            on_error=on_error,
        )
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._cache = _cache(cache)
        self._closed = False
        _alive.add(self)

    @property
    def model(self) -> str:
        """The model as it was asked for."""
        return self.settings.model

    @classmethod
    def for_adapter(
        cls,
        arguments: Mapping[str, Any],
        *,
        reranker: "Reranker | None" = None,
        agent: str = "",
    ) -> "Reranker":
        """Make the engine of a framework's adapter, or take one that is shared.

        Args:
            arguments: What the adapter was given, by name; what is no keyword of `Reranker` is
                the adapter's own and left alone.
            reranker: An engine to share, which no argument may contradict; one that is the default
                cannot be told from none.
            agent: The adapter's name, which services find in `User-Agent`.

        Returns:
            The engine. A new one has neither `top_n` nor `score_threshold`: adapters pass them
            with each call, so that those that share an engine can differ.

        Raises:
            TypeError: An argument, or `reranker`, has the wrong type.
            ValueError: An argument is out of range, or contradicts another, or `reranker`.

        >>> reranker = Reranker("nano")
        >>> Reranker.for_adapter({"model": "turbo", "top_n": 3}, reranker=reranker) is reranker
        True
        """
        defaults = signature(cls).parameters
        own = {name: word for name, word in arguments.items() if name in defaults}
        asked = cls(**own).settings  # checks every argument, and builds nothing
        if reranker is None:
            return _rebuild(cls, own | dict.fromkeys(PER_CALL), agent)
        if not isinstance(reranker, Reranker):
            msg = f"reranker must be a Reranker, got {type(reranker).__name__}"
            raise TypeError(msg)
        told = [
            name
            for name, word in own.items()
            if name not in PER_CALL
            and word != defaults[name].default
            and getattr(asked, name) != getattr(reranker.settings, name)
        ]
        if told:
            msg = f"{', '.join(told)} cannot change a reranker that exists: say it to Reranker(...)"
            raise ValueError(msg)
        return reranker

    def to_dict(self) -> dict[str, Any]:
        """Write down the constructor arguments, without keys, as values that JSON and YAML know.

        Returns:
            Every keyword but the secrets: ``Reranker(**reranker.to_dict())`` is this reranker,
            whose keys come from its environment. Headers that may hold a secret are left out.

        Raises:
            ValueError: An argument is an object that cannot be written down, such as a `Backend`
                instance or an HTTP client; the message names it.
        """
        return self.settings.to_dict()

    def rank(
        self,
        query: str,
        documents: Iterable[D],
        *,
        top_n: int | None = None,
        score_threshold: float | None = None,
    ) -> Ranking[D]:
        """Sort documents by relevance, best first.

        Args:
            query: What is searched for; a blank one is a `ValueError`.
            documents: Texts, or mappings with ``"text"``. Blank ones come last with score 0.0.
            top_n: How many to keep; None is the constructor's.
            score_threshold: The lowest score to keep; None is the constructor's.

        Returns:
            The documents kept, best first; ties keep the input order. Empty for no documents.

        Raises:
            TypeError: The query or a document is not text.
            ValueError: The query is blank, a text is not valid Unicode, or a keyword is out of
                range.
            JinaRerankError: The model could not be loaded or the service did not answer.
            RuntimeError: The reranker is closed.
        """
        cut = self._cut(top_n, score_threshold)
        return self._rank([Job.of(query, documents)], cut)[0]

    def score(self, query: str, documents: Iterable[D]) -> list[float]:
        """Score documents without sorting; raises as `rank` does, whatever `on_error` says.

        Returns:
            One score per document, in the order of the documents.
        """
        return self._score([Job.of(query, documents)])[0]

    def rank_many(
        self,
        requests: Iterable[tuple[str, Iterable[D]]],
        *,
        top_n: int | None = None,
        score_threshold: float | None = None,
    ) -> list[Ranking[D]]:
        """Rank several lists at once: batches run across queries, so this is faster than a loop.

        Args:
            requests: Pairs of a query and its documents.
            top_n: As in `rank`.
            score_threshold: As in `rank`.

        Returns:
            One ranking per request, in the order of the requests; raises as `rank` does.
        """
        cut = self._cut(top_n, score_threshold)
        return self._rank(Job.each(requests), cut)

    def score_many(self, requests: Iterable[tuple[str, Iterable[D]]]) -> list[list[float]]:
        """Score several lists at once; raises as `score` does.

        Returns:
            One list of scores per request, in the order of the requests and of their documents.
        """
        return self._score(Job.each(requests))

    def cut_tokens(self, query: str, documents: Iterable[D]) -> list[int]:
        """Count what is too long: for each document, the tokens of it and the query that are cut.

        Returns:
            One count per document, in their order: 0 where the model reads everything, all windows
            of the document together. Raises as `score` does.

        Raises:
            ValueError: A service reads the texts, and does not say how much of them.

        >>> Reranker("nano", max_length=16).cut_tokens("Which planet is red?", ["Mars.", "It is " * 9])
        [0, 10]
        """
        job = Job.of(query, documents)
        backend = self._needed([job])
        counts = [0] * len(job.documents)
        if backend is not None:
            for place, count in zip(
                job.places, backend.cut_tokens(job.query, job.texts), strict=True
            ):
                counts[place] = count
        return counts

    async def arank(
        self,
        query: str,
        documents: Iterable[D],
        *,
        top_n: int | None = None,
        score_threshold: float | None = None,
    ) -> Ranking[D]:
        """Do what `rank` does without blocking the event loop."""
        cut = self._cut(top_n, score_threshold)
        return (await self._arank([Job.of(query, documents)], cut))[0]

    async def ascore(self, query: str, documents: Iterable[D]) -> list[float]:
        """Do what `score` does without blocking the event loop."""
        return (await self._ascore([Job.of(query, documents)]))[0]

    async def arank_many(
        self,
        requests: Iterable[tuple[str, Iterable[D]]],
        *,
        top_n: int | None = None,
        score_threshold: float | None = None,
    ) -> list[Ranking[D]]:
        """Do what `rank_many` does without blocking the event loop."""
        cut = self._cut(top_n, score_threshold)
        return await self._arank(Job.each(requests), cut)

    async def ascore_many(self, requests: Iterable[tuple[str, Iterable[D]]]) -> list[list[float]]:
        """Do what `score_many` does without blocking the event loop."""
        return await self._ascore(Job.each(requests))

    def load(self) -> Self:
        """Load the model now instead of on first use; raises as `rank` does.

        Returns:
            This reranker, so that ``Reranker("turbo").load()`` is one expression.
        """
        self._open().load()
        return self

    def close(self) -> None:
        """Free the model or the connections.

        Twice is fine; use afterwards, and calls that other threads have under way, end with a
        `RuntimeError`.
        """
        if (backend := self._detach()) is not None:
            backend.close()

    async def aclose(self) -> None:
        """Do what `close` does without blocking the event loop."""
        if (backend := self._detach()) is not None:
            await backend.aclose()

    def __enter__(self) -> Self:
        """Return this reranker; leaving the block closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return this reranker; leaving the block closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        await self.aclose()

    def __repr__(self) -> str:
        """Name the model and the backend, and no secret."""
        return f"Reranker({self.model!r}, backend={self.settings.backend_name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the constructor arguments, without the secrets and without the model."""
        return _rebuild, (type(self), self.settings.arguments(), self.settings.agent)

    def __copy__(self) -> Self:
        """Make a reranker with the same arguments, and no model yet: keys stay in the process."""
        settings = self.settings
        names = signature(type(self)).parameters
        made = type(self)(**{name: getattr(settings, name) for name in names})
        made.settings = settings
        return made

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Do what `copy.copy` does: the arguments do not change."""
        return self.__copy__()

    def _rank(self, jobs: list[Job[D]], cut: Cut) -> list[Ranking[D]]:
        backend = self._needed(jobs)
        try:
            answers = self._ask(backend, jobs)
        except Exception as error:  # noqa: BLE001 - raised again unless the caller opted out
            return self._keep_order(error, jobs, cut)
        return self._rankings(jobs, answers, cut)

    async def _arank(self, jobs: list[Job[D]], cut: Cut) -> list[Ranking[D]]:
        backend = await self._aneeded(jobs)
        try:
            answers = await self._aask(backend, jobs)
        except Exception as error:  # noqa: BLE001 - raised again unless the caller opted out
            return self._keep_order(error, jobs, cut)
        return self._rankings(jobs, answers, cut)

    def _score(self, jobs: list[Job[D]]) -> list[list[float]]:
        answers = self._ask(self._needed(jobs), jobs)
        return [job.scores(answer) for job, answer in zip(jobs, answers, strict=True)]

    async def _ascore(self, jobs: list[Job[D]]) -> list[list[float]]:
        answers = await self._aask(await self._aneeded(jobs), jobs)
        return [job.scores(answer) for job, answer in zip(jobs, answers, strict=True)]

    def _ask(self, backend: Backend | None, jobs: list[Job[D]]) -> list[Scores]:
        if backend is None:
            return [job.nothing for job in jobs]
        cache = self._cache
        if cache is None:
            return _fill_in(backend, jobs, backend.score_many(_requests(jobs)))
        recalled = recall(jobs, cache, backend)
        rest = [item.rest for item in recalled]
        requests = _requests(rest)
        answers = _fill_in(backend, rest, backend.score_many(requests) if requests else [])
        return complete(recalled, answers, cache)

    async def _aask(self, backend: Backend | None, jobs: list[Job[D]]) -> list[Scores]:
        if backend is None:
            return [job.nothing for job in jobs]
        cache = self._cache
        if cache is None:
            return _fill_in(backend, jobs, await backend.ascore_many(_requests(jobs)))
        import asyncio  # noqa: PLC0415 - see `Backend.ascore`

        # In threads: a store may be far away, and the backend's identity may load the model.
        recalled = await asyncio.to_thread(recall, jobs, cache, backend)
        rest = [item.rest for item in recalled]
        requests = _requests(rest)
        answers = _fill_in(backend, rest, await backend.ascore_many(requests) if requests else [])
        return await asyncio.to_thread(complete, recalled, answers, cache)

    def _rankings(self, jobs: list[Job[D]], answers: list[Scores], cut: Cut) -> list[Ranking[D]]:
        model = self._model_name()
        return [job.ranking(answer, cut, model) for job, answer in zip(jobs, answers, strict=True)]

    def _keep_order(self, error: Exception, jobs: list[Job[D]], cut: Cut) -> list[Ranking[D]]:
        """Keep the input order of what the backend failed to rank, if the caller wants that."""
        mistake = isinstance(error, ValueError | TypeError | MissingDependencyError)
        if self.settings.on_error == "raise" or mistake or self._closed:
            raise error
        # Only our own messages are known to hold no text and no key.
        reason = f": {error}" if isinstance(error, JinaRerankError) else ""
        kind = type(error).__name__
        logger.warning("%s failed, keeping the input order: %s%s", self, kind, reason)
        logger.debug("%s was raised at\n%s", kind, "".join(format_tb(error.__traceback__)))
        model = self._model_name()
        return [
            job.unranked(cut, model) if job.texts else job.ranking(job.nothing, cut, model)
            for job in jobs
        ]

    def _model_name(self) -> str:
        if isinstance(self.settings.backend, Backend):
            return self.settings.backend.name
        info = find(self.model)
        return info.name if info is not None else self.model

    def _cut(self, top_n: int | None, score_threshold: float | None) -> Cut:
        return Cut(
            top_n=top_n if top_n is not None else self.settings.top_n,
            score_threshold=score_threshold
            if score_threshold is not None
            else self.settings.score_threshold,
        )

    def _needed(self, jobs: list[Job[D]]) -> Backend | None:
        """Return the backend if there is anything to ask it."""
        self._check_open()
        return self._open() if any(job.texts for job in jobs) else None

    async def _aneeded(self, jobs: list[Job[D]]) -> Backend | None:
        """Do what `_needed` does; building the backend imports torch, which takes seconds."""
        import asyncio  # noqa: PLC0415 - see `Backend.ascore`

        if self._backend is not None:
            return self._needed(jobs)
        return await asyncio.to_thread(self._needed, jobs)

    def _check_open(self) -> None:
        if self._closed:
            msg = "this Reranker is closed; make a new one"
            raise RuntimeError(msg)

    def _open(self) -> Backend:
        with self._lock:
            self._check_open()
            if self._backend is None:
                self._backend = _create(self.settings)
            return self._backend

    def _detach(self) -> Backend | None:
        """Mark as closed; return the backend if it is this reranker's to close."""
        with self._lock:
            self._closed = True
            backend, self._backend = self._backend, None
            self._cache = None
        return backend if backend is not self.settings.backend else None

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        if self._cache is not None:  # its lock may be held for good, too
            self._cache = _cache(self.settings.cache)
        if self._backend is not None:
            self._backend.after_fork()


def _rebuild(kind: type[Reranker], arguments: dict[str, Any], agent: str) -> Reranker:
    """Make a reranker for an adapter, or again from what a pickle holds."""
    made = kind(**arguments)
    made.settings = replace(made.settings, agent=agent)
    return made


def _create(settings: Settings) -> Backend:
    """Build the backend: the caller's instance, or that of the module named like it."""
    if isinstance(settings.backend, Backend):
        return settings.backend
    name = settings.backend_name
    info = find(settings.model)
    try:
        module = importlib.import_module(f"{__package__}.backends.{name}")
        backend: Backend = module.create(settings)
    except ModuleNotFoundError as error:
        extra = info.name if info is not None and info.package is not None else name
        # The API needs no extra: its library comes with jina-rerank itself.
        package = f"'jina-rerank[{extra}]'" if name != "api" else "jina-rerank"
        msg = f"backend={name!r} needs {error.name}: pip install {package}"
        raise MissingDependencyError(msg, name=error.name) from error
    return backend


def _cache(cache: Any) -> ScoreCache | None:
    return LeastRecentlyUsed(operator.index(cache)) if hasattr(cache, "__index__") else cache


def _requests(jobs: Sequence[Job[D]]) -> list[Request]:
    return [job.request for job in jobs if job.texts]


def _fill_in(backend: Backend, jobs: Sequence[Job[D]], answers: list[Scores]) -> list[Scores]:
    """Check the backend's answers and add an empty one for each job that had nothing to ask."""
    asked = sum(1 for job in jobs if job.texts)
    if len(answers) != asked:
        msg = f"backend {backend.name!r} answered {len(answers)} of {asked} requests"
        raise JinaRerankError(msg)
    remaining = iter(answers)
    return [job.checked(next(remaining), backend) if job.texts else job.nothing for job in jobs]


# Children of a fork find their rerankers here, to replace locks that another thread may have held.
_alive: WeakSet[Reranker] = WeakSet()


def _after_fork_in_child() -> None:
    for reranker in list(_alive):
        reranker._after_fork()  # noqa: SLF001 - this module's own class


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
