"""A model's files: which there are, what kind of model they make, and what they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from .cross_encoder.checkpoint import WEIGHTS, weights
from .cross_encoder.config import check
from .cross_encoder.scorer import CrossEncoderScorer
from .hub import Source
from .jina_bert.config import JinaBertConfig, is_jina_bert, read_config
from .jina_bert.scorer import JinaBertScorer
from .settings import Settings

Scorer: TypeAlias = JinaBertScorer | CrossEncoderScorer


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Files on this machine that make a reranker, as far as its config.json tells.

    Attributes:
        config: The checked config of a JinaBERT; what config.json says for any other model.
        tokenizer: The tokenizer.json.
        weights: The safetensors files.
    """

    config: JinaBertConfig | Mapping[str, Any]
    tokenizer: Path
    weights: list[Path]

    @classmethod
    def of(cls, source: Source, model: str) -> Self:
        """Fetch the files; the smallest first, so that a wrong model costs no download.

        Args:
            source: Where they come from.
            model: The model in messages.

        Raises:
            CheckpointError: This is no reranker, or none that runs here.
            ModelNotFoundError: A file cannot be had.
        """
        values = read_config(source.file("config.json"))
        if is_jina_bert(values):
            config = JinaBertConfig.of(values, repr(model))
            tokenizer = source.file("tokenizer.json")
            return cls(config=config, tokenizer=tokenizer, weights=[source.file(WEIGHTS)])
        check(values, repr(model))
        tokenizer = source.file("tokenizer.json")
        return cls(config=values, tokenizer=tokenizer, weights=weights(source))

    def load(self, settings: Settings) -> Scorer:
        """Load the model; raises as its scorer does."""
        if isinstance(self.config, JinaBertConfig):
            (weights,) = self.weights
            return JinaBertScorer(self.config, self.tokenizer, weights, settings)
        return CrossEncoderScorer(self.config, self.tokenizer, self.weights, settings)

    def digest(self) -> str:
        """Return a SHA-256 over everything that the files say: the same on any machine."""
        digest = hashlib.sha256(repr(self.config).encode())
        for path in (self.tokenizer, *self.weights):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()
