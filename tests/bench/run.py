"""What the parts of one run share: how much to do, and the checkpoints they made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jina_rerank_lab.benchmark import checkpoints, wordpiece
from jina_rerank_lab.benchmark.workloads import (
    FEW_PASSAGES,
    PASSAGES,
    Shape,
    Workload,
    build,
    vocabulary_words,
)
from tokenizers import Tokenizer

from . import minilm

PEER_MODEL = "MiniLM-L-6"
WORDPIECE = ("base", PEER_MODEL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of the benchmark.

    `rounds` are timed; `quick` means small workloads; `model` is the shape for the parts that
    measure one; checkpoints go to `directory`; `say` is told what happens.
    """

    rounds: int
    quick: bool
    model: str
    v1_tokenizer: Tokenizer
    directory: Path
    say: Callable[[str], None]

    @property
    def passages(self) -> Shape:
        """The passages that most parts measure with: 100, or few in a quick run."""
        return FEW_PASSAGES if self.quick else PASSAGES

    def workload(self, model: str) -> Workload:
        """Return these passages, in tokens of a model."""
        return build(self.passages, self.tokenizer(model))

    def tokenizer(self, model: str) -> Tokenizer:
        """Return a model's tokenizer; a WordPiece one has the words of the other."""
        if model in WORDPIECE:
            return wordpiece.build(vocabulary_words(self.v1_tokenizer))
        return self.v1_tokenizer

    def checkpoint(self, model: str) -> Path:
        """Return a model's checkpoint, written on first use."""
        directory = self.directory / model
        if not directory.exists():
            self.say(f"random weights in the shape of {model}")
            tokenizer = self.tokenizer(model)
            if model == PEER_MODEL:
                minilm.write(directory, tokenizer=tokenizer)
            else:
                checkpoints.write(directory, model=model, tokenizer=tokenizer)
        return directory
