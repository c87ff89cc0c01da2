"""The models that a server has: found by the names that clients use, loaded, stopped."""

import asyncio
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from jina_rerank import MODELS, Reranker

from .batcher import Batcher
from .metrics import Metrics
from .refusals import UNKNOWN_MODEL, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A model to serve, and its name.

    Attributes:
        name: What clients may call it.
        model: What `Reranker` loads: an alias, a directory, or a Hugging Face id.

    >>> Choice.of("mine=./checkpoint"), Choice.of("./checkpoint").name
    (Choice(name='mine', model='./checkpoint'), 'checkpoint')
    """

    name: str
    model: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Read ``MODEL`` or ``NAME=MODEL``.

        Raises:
            ValueError: A name is missing, or is none.
        """
        name, named, model = text.partition("=")
        if not named:
            model = text
            # A directory's path is this machine's affair.
            name = Path(model).resolve().name if _is_directory(model) else model
        if not (model and re.fullmatch(r"[\w./@:-]{1,128}", name, re.ASCII)):
            msg = f"a model to serve is MODEL or NAME=MODEL, such as turbo or mine=./folder, got {text!r}"
            raise ValueError(msg)
        return cls(name=name, model=model)


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        batcher: What scores with it.
        id: Its full name, which replies give.
        names: Every name that finds it.
    """

    batcher: Batcher
    id: str
    names: frozenset[str]

    @classmethod
    def of(cls, batcher: Batcher, model: str) -> Self:
        """Collect the names of a model."""
        info = next((m for m in MODELS if model in {m.alias, m.name, m.repo}), None)
        if info is None:
            return cls(batcher, batcher.name, frozenset({batcher.name}))
        known = {info.alias, info.name, info.repo, batcher.name}
        return cls(batcher, info.name, frozenset(name for name in known if name is not None))

    def describe(self) -> Mapping[str, Any]:
        """Describe it as the list of models does."""
        return {
            "id": self.id,
            "object": "model",
            "owned_by": "jina-rerank",
            "name": self.batcher.name,
            "ready": self.batcher.ready,
        }


class Served:
    """All models of a server; the first is the one for requests that name none.

    Args:
        models: The models, at least one.

    Raises:
        ValueError: Two share a name.
    """

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = list(models)
        self._by_name: dict[str, Model] = {}
        for model in self._models:
            if both := model.names & self._by_name.keys():
                msg = f"two models are called {min(both)!r}: serve it once"
                raise ValueError(msg)
            self._by_name |= dict.fromkeys(model.names, model)

    @classmethod
    def of(
        cls,
        choices: Iterable[Choice],
        *,
        arguments: Mapping[str, Any],
        batching: Mapping[str, Any],
        metrics: Metrics,
    ) -> Self:
        """Set up models; nothing is loaded.

        Args:
            choices: The models.
            arguments: What each `Reranker` is made with.
            batching: What each `Batcher` is made with.
            metrics: Where they count.

        Raises:
            TypeError, ValueError: As `Reranker` and `Served`.
        """

        def model(choice: Choice) -> Model:
            reranker = Reranker(choice.model, backend="local", **arguments)
            batcher = Batcher(reranker, name=choice.name, metrics=metrics, **batching)
            return Model.of(batcher, choice.model)

        return cls(map(model, choices))

    def __iter__(self) -> Iterator[Model]:
        """Iterate in the order that they were given in."""
        return iter(self._models)

    @property
    def ready(self) -> bool:
        """True while every model takes requests."""
        return all(model.batcher.ready for model in self)

    @property
    def failed(self) -> bool:
        """True once a model has failed for good."""
        return any(model.batcher.failed for model in self)

    def find(self, name: str | None) -> Model:
        """Find a model by any of its names; None is the first.

        Raises:
            Refusal: There is none of that name. The message does not repeat it.
        """
        if name is None:
            return self._models[0]
        if name not in self._by_name:
            there = ", ".join(model.id for model in self)
            message = f"Model not found. Available models: {there}."
            raise Refusal(UNKNOWN_MODEL, message)
        return self._by_name[name]

    async def start(self) -> None:
        """Load one after the other; raises `JinaRerankError` for one that cannot be loaded."""
        for model in self:
            await model.batcher.start()

    async def stop(self) -> None:
        """Finish what was taken, and free the models."""
        await asyncio.gather(*(model.batcher.drain() for model in self))
        await asyncio.gather(*(model.batcher.close() for model in self))


def _is_directory(model: str) -> bool:
    """Tell a directory from a name, as `Reranker` does: what is there, or can only be a path."""
    return os.path.isdir(model) or model.startswith((".", "/", "~"))  # noqa: PTH112 - a name, too
