"""Where a run stands, on the disk: written whole or not at all, and the last few kept."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from jina_rerank.errors import JinaRerankError
from jina_rerank.lines import InputError


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        stage: Which stage, from 0.
        step: Steps of the stage that are done.
        total: Steps of all stages that are done.
        stage_seconds: Seconds that the stage has trained for, measuring and saving left out.
        seconds: The same of all stages.
        tokens: Tokens that were learnt from.
        best: The best nDCG@10 so far; None before the first measurement.
        best_step: The total of steps at which that was.
    """

    stage: int = 0
    step: int = 0
    total: int = 0
    stage_seconds: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    best: float | None = None
    best_step: int = 0


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: Where they are.
        recipe: What the recipe and its data say, so that no other run goes on with them.
        keep: How many to keep.
    """

    def __init__(self, folder: Path, recipe: str, keep: int) -> None:
        self._folder = folder
        self._recipe = recipe
        self._keep = keep

    def save(self, progress: Progress, tensors: Mapping[str, Any]) -> None:
        """Write a checkpoint, then delete the oldest.

        Raises:
            JinaRerankError: It cannot be written; those before are there.
        """
        path = self._folder / f"step-{progress.total:08}.pt"
        partial = path.with_suffix(".partial")
        whole = {"recipe": self._recipe, "progress": asdict(progress), **tensors}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(whole, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except (OSError, RuntimeError) as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            msg = (
                f"{str(path)!r} cannot be written: {error}; the checkpoint before is whole, so "
                f"free the disk and run the same command again"
            )
            raise JinaRerankError(msg) from error
        for old in self._paths()[: -self._keep]:
            old.unlink()

    def load(self) -> tuple[Progress, dict[str, Any]] | None:
        """Read the last checkpoint; None if there is none.

        Raises:
            InputError: It is of another recipe, or of other data.
        """
        paths = self._paths()
        if not paths:
            return None
        found: dict[str, Any] = torch.load(paths[-1], map_location="cpu", weights_only=True)
        if found["recipe"] != self._recipe:
            msg = (
                f"{str(self._folder)!r} holds a run of another recipe or of other data; "
                f"choose another --output, or start over with --restart"
            )
            raise InputError(msg)
        return Progress(**found["progress"]), found

    def clear(self) -> None:
        """Delete all checkpoints."""
        for path in self._paths():
            path.unlink()

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("step-*.pt"))
