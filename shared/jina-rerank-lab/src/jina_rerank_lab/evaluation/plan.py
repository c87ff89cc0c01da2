"""What an evaluation measures, checked before any work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .. import rerankers
from ..terminal import UsageError
from . import metrics
from .measure import first_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, checked.

    Attributes:
        retriever: The first stage as the user named it.
        first: Its name as a system.
        measures: The metrics.
        rerankers: The specs.
        baselines: The systems that others are compared with.
    """

    retriever: str
    first: str
    measures: Mapping[str, Any]
    rerankers: Sequence[str]
    baselines: Sequence[str]

    @classmethod
    def of(
        cls,
        retriever: str,
        metric: Sequence[str],
        specs: Sequence[str],
        baseline: Sequence[str] | None,
    ) -> Self:
        """Check what the user wants.

        Args:
            retriever: The first stage.
            metric: Names of metrics.
            specs: The rerankers; `none` is the first stage, which is always measured.
            baseline: Specs of systems that others are compared with; None is the first stage.

        Raises:
            UsageError: A metric is unknown, or a baseline is not measured.
        """
        first = first_name(retriever)
        wanted = [spec for spec in dict.fromkeys(specs) if spec != rerankers.NONE]
        named = [first if name == rerankers.NONE else name for name in baseline or [first]]
        unknown = [name for name in named if name not in {first, *wanted}]
        if unknown:
            msg = f"--baseline {unknown[0]} is not measured: add --reranker {unknown[0]}"
            raise UsageError(msg)
        try:
            measures = metrics.parse(list(dict.fromkeys(metric)))
        except ValueError as error:
            msg = f"--metric: {error}"
            raise UsageError(msg) from error
        return cls(
            retriever=retriever,
            first=first,
            measures=measures,
            rerankers=wanted,
            baselines=list(dict.fromkeys(named)),
        )
