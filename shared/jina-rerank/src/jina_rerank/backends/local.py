"""Scores from a model in this process."""

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from ..checkpoint import Checkpoint, Scorer
from ..hub import locate
from ..jina_bert.batching import batches
from ..jina_bert.tokenizer import Pair
from ..progress import progress
from ..settings import Settings
from ..types import Request, Scores
from .base import Backend

T = TypeVar("T")

CHARACTERS = 1 << 20
"""About how much text is tokenized at once: enough for several cores, little to hold."""

TOKENS = 1 << 18
"""About how many tokens are sorted into batches at once: many batches, little to hold."""

BATCH_TOKENS = {"cpu": 8192}
"""Default tokens of a forward pass by device; more do not make a CPU faster."""

BATCH_TOKENS_ELSEWHERE = 65_536

CALLERS = 8
"""Calls from event loops that are tokenized and wait for the worker at once; more queue up."""


def create(settings: Settings) -> "LocalBackend":
    """Make the backend; the model loads on first use."""
    return LocalBackend(settings)


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the model, and whose it is.

    Attributes:
        request: Which request.
        document: Which document of the request.
        pair: The tokens.
        first: False for the second and later windows of a document.
    """

    request: int
    document: int
    pair: Pair
    first: bool


class LocalBackend(Backend):
    """Runs the model in one worker thread, whoever calls.

    The thread owns the model: calls from many threads share its cores instead of fighting for
    them, their batches take turns, and memory stays that of one batch. It also makes forked
    children work: OpenMP's own threads do not survive a fork, and a thread that used them before
    would wait for them forever; a new thread starts new ones.
    """

    name: ClassVar[str] = "local"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scorer: Scorer | None = None
        self._checkpoint: Checkpoint
        self._identity = ""
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._loading = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="jina-rerank")
        # Threads that wait for the worker on behalf of event loops, whose own are for others.
        self._callers = ThreadPoolExecutor(CALLERS, thread_name_prefix="jina-rerank-async")

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each text; see `Backend.score`."""
        return self.score_many([(query, documents)])[0]

    def score_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests, in batches that run across them."""
        scorer = self._loaded()
        budget = self._settings.batch_tokens
        if budget is None:
            budget = BATCH_TOKENS.get(scorer.device.type, BATCH_TOKENS_ELSEWHERE)
        values = [[0.0] * len(documents) for _, documents in requests]
        tokens = [0] * len(requests)
        inputs = _inputs(scorer, requests)
        total = sum(map(len, values))
        with progress(total, show=self._settings.show_progress) as advance:
            while some := _take(inputs):
                lengths = [len(item.pair.ids) for item in some]
                for batch in batches(lengths, budget, padded=scorer.padded):
                    chosen = [some[i] for i in batch]
                    scores = self._run(scorer.logits, [item.pair for item in chosen])
                    _collect(chosen, scores, values, tokens)
                    advance(sum(item.first for item in chosen))
        return [
            Scores(values=scores, total_tokens=count)
            for scores, count in zip(values, tokens, strict=True)
        ]

    async def ascore_many(self, requests: Sequence[Request]) -> list[Scores]:
        """Score several requests in a thread, in batches that run across them."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._callers, self.score_many, requests)

    def cut_tokens(self, query: str, documents: Sequence[str]) -> list[int]:
        """Count the tokens that are not read; see `Backend.cut_tokens`."""
        scorer = self._loaded()
        (query_ids,) = scorer.tokenizer.encode([query])
        encoded = _encoded(scorer, documents)
        return [scorer.fit.cut(len(query_ids), len(document_ids)) for document_ids in encoded]

    def identity(self) -> str:
        """Name the checkpoint by its content, and the settings that its scores depend on.

        The same on every machine; on another path, or under another name, too.
        """
        scorer = self._loaded()
        if not self._identity:
            fit = scorer.fit
            lengths = (fit.max_length, fit.query_tokens, fit.overlap)
            self._identity = f"{self._checkpoint.digest()} {scorer.dtype} {lengths}"
        return self._identity

    def load(self) -> None:
        """Load the model, if it is not."""
        self._loaded()

    def close(self) -> None:
        """Free the model; calls that are under way end with a `RuntimeError`."""
        self._closed = True
        self._worker.shutdown(wait=False)
        self._callers.shutdown(wait=False)
        self._scorer = None

    def after_fork(self) -> None:
        """Start a worker of the child's own; weights on the CPU stay shared with the parent."""
        self._start()
        if self._scorer is not None and self._scorer.device.type != "cpu":
            self._scorer = None

    def _loaded(self) -> Scorer:
        with self._loading:
            if self._scorer is None:
                # The caller's own thread fetches, so that Ctrl-C ends a download at once.
                checkpoint = Checkpoint.of(locate(self._settings), self._settings.model)
                scorer = self._run(checkpoint.load, self._settings)
                self._checkpoint = checkpoint
                self._scorer = None if self._closed else scorer
                return scorer
            return self._scorer

    def _run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run in the worker, with as many threads as the caller's torch would use."""
        threads = torch.get_num_threads()
        try:
            future = self._worker.submit(_with_threads, threads, work, *arguments)
        except RuntimeError as error:
            msg = "the model was closed while it was in use"
            raise RuntimeError(msg) from error
        return future.result()


def _with_threads(threads: int, work: Callable[..., T], *arguments: object) -> T:
    # torch.set_num_threads reaches only threads that have not computed yet.
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return work(*arguments)


def _inputs(scorer: Scorer, requests: Sequence[Request]) -> Iterator[Input]:
    """Tokenize lazily: each query once, its documents some at a time."""
    for r, (query, documents) in enumerate(requests):
        (query_ids,) = scorer.tokenizer.encode([query])
        for d, document_ids in enumerate(_encoded(scorer, documents)):
            for w, pair in enumerate(scorer.fit.pairs(query_ids, document_ids)):
                yield Input(r, d, pair, first=w == 0)


def _encoded(scorer: Scorer, documents: Sequence[str]) -> Iterator[list[int]]:
    """Tokenize documents some at a time."""
    for chunk in _chunks(documents):
        yield from scorer.tokenizer.encode(chunk)


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Split texts into lists of about `CHARACTERS` characters."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _take(inputs: Iterator[Input]) -> list[Input]:
    """Take the next inputs, about `TOKENS` tokens of them; none if there are no more."""
    taken: list[Input] = []
    tokens = 0
    for item in inputs:
        taken.append(item)
        tokens += len(item.pair.ids)
        if tokens >= TOKENS:
            break
    return taken


def _collect(
    inputs: list[Input], logits: Tensor, values: list[list[float]], tokens: list[int]
) -> None:
    """Turn logits into scores, the best window's for each document."""
    # In float32, as the reference does, whatever the model computes in.
    for item, score in zip(inputs, torch.sigmoid(logits.float()).tolist(), strict=True):
        best = values[item.request]
        # NaN has to stay, for `Reranker` to refuse it; `max` may lose it.
        if score > best[item.document] or math.isnan(score):
            best[item.document] = score
        tokens[item.request] += len(item.pair.ids)
