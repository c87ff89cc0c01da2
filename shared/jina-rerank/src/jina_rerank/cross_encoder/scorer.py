"""A loaded cross-encoder of transformers: its tokenizer, its context, and the logits of a batch."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from ..hardware import choose_device, choose_dtype, compile_now
from ..jina_bert.fit import Fit
from ..jina_bert.tokenizer import Pair, PairTokenizer
from ..settings import Settings
from . import checkpoint
from .config import check

ANY = sys.maxsize
"""Rows enough for any token type, where none is an input."""


class CrossEncoderScorer:
    """Scores pairs with any encoder that transformers knows with a head of one score.

    `dtype="auto"` is float32 here: how bfloat16 moves the scores of a model is known to its makers
    at most.

    Args:
        values: What its config.json says.
        tokenizer: Its tokenizer.json.
        weights: Its safetensors files.
        settings: `model`, `device`, `dtype`, `compile`, and how long input is made to fit.

    Raises:
        CheckpointError: The files do not make a reranker.
        MissingDependencyError: transformers is not installed, or `compile` is asked for, and there
            is no C++ compiler.
        ValueError: The device is not there, or a length does not suit the model.
    """

    padded: ClassVar[bool] = True

    def __init__(
        self, values: Mapping[str, Any], tokenizer: Path, weights: list[Path], settings: Settings
    ) -> None:
        where = repr(settings.model)
        check(values, where)
        self.device = choose_device(settings.device)
        asked = settings.dtype if settings.dtype != "auto" else "float32"
        self.dtype = choose_dtype(asked, self.device)
        self.tokenizer = PairTokenizer(tokenizer)
        model = checkpoint.load(weights, values, dtype=self.dtype, where=where)
        self.model = model.to(self.device)
        config = model.config
        self._types = _type_rows(model)
        words = model.get_input_embeddings().num_embeddings
        self.tokenizer.check(words, self._types or ANY, settings.model)
        self._padding = _padding(config, where)
        self.fit = Fit.of(settings, self.tokenizer.template, _context(model, where), settings.model)
        if settings.compile:
            probe = [self.tokenizer.template.fill([0], [0])]
            compile_now(lambda: self.model.compile(dynamic=True), lambda: self.logits(probe))

    @torch.inference_mode()
    def logits(self, pairs: Sequence[Pair]) -> Tensor:
        """Score a batch, padded on the right to its longest pair.

        Returns:
            (N,) float32 logits on the CPU, float64 if the model computes in it.
        """
        longest = max(len(pair.ids) for pair in pairs)
        inputs = {
            "input_ids": _padded([pair.ids for pair in pairs], longest, self._padding),
            "attention_mask": _padded([[1] * len(pair.ids) for pair in pairs], longest, 0),
        }
        if self._types:
            inputs["token_type_ids"] = _padded([pair.types for pair in pairs], longest, 0)
        placed = {name: values.to(self.device) for name, values in inputs.items()}
        logits: Tensor = self.model(**placed).logits.squeeze(1)
        return logits.to("cpu", torch.promote_types(logits.dtype, torch.float32))


def _padding(config: Any, where: str) -> int:
    """Return the id that fills the shorter inputs of a batch; decoders often have none."""
    padding: int | None = config.pad_token_id
    if padding is None:
        msg = f"{where} has no pad_token_id in its config.json, as every encoder has"
        raise CheckpointError(msg)
    return padding


def _padded(rows: list[list[int]], length: int, filler: int) -> Tensor:
    """Lay rows out as (N, length)."""
    return torch.tensor([row + [filler] * (length - len(row)) for row in rows])


def _type_rows(model: Any) -> int:
    """Return how many token types are an input: RoBERTa and others know one alone, and take none."""
    rows: int = getattr(model.config, "type_vocab_size", 0)
    takes = "token_type_ids" in inspect.signature(model.forward).parameters
    return rows if takes and rows > 1 else 0


def _context(model: Any, where: str) -> int:
    """Return the longest input in tokens.

    RoBERTa and its like count positions from behind the padding's: 514 rows are 512 tokens.
    """
    for name, module in model.named_modules():
        if name.endswith(".position_embeddings") and isinstance(module, nn.Embedding):
            before = module.padding_idx + 1 if module.padding_idx is not None else 0
            return module.num_embeddings - before
    context = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(context, int) or context < 1:
        msg = f"{where} has max_position_embeddings {context!r}, which is no number of tokens"
        raise CheckpointError(msg)
    return context
