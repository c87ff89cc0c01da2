"""A loaded JinaBERT: its tokenizer, its context, and the logits of a batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ..hardware import choose_device, choose_dtype, compile_now
from ..settings import Settings
from . import checkpoint
from .batching import groups
from .config import JinaBertConfig
from .fit import Fit
from .tokenizer import Pair, PairTokenizer


class JinaBertScorer:
    """Scores pairs with a JinaBERT checkpoint.

    Args:
        config: Its shapes.
        tokenizer: Its tokenizer.json.
        weights: Its safetensors file.
        settings: `model`, `device`, `dtype`, `compile`, and how long input is made to fit.

    Raises:
        CheckpointError: The files do not make a JinaBERT reranker.
        MissingDependencyError: `compile` is asked for, and there is no C++ compiler.
        ValueError: The device is not there, or a length does not suit the model.
    """

    padded: ClassVar[bool] = False

    def __init__(
        self, config: JinaBertConfig, tokenizer: Path, weights: Path, settings: Settings
    ) -> None:
        self.device = choose_device(settings.device)
        self.dtype = choose_dtype(settings.dtype, self.device)
        self.tokenizer = PairTokenizer(tokenizer)
        self.tokenizer.check(config.vocab_size, config.type_vocab_size, settings.model)
        context = config.max_position_embeddings
        self.fit = Fit.of(settings, self.tokenizer.template, context, settings.model)
        self.model = checkpoint.load(weights, config, dtype=self.dtype, device=self.device)
        if settings.compile:
            probe = [self.tokenizer.template.fill([0], [0])]
            compile_now(self.model.compile_layers, lambda: self.logits(probe))

    @torch.inference_mode()
    def logits(self, pairs: Sequence[Pair]) -> Tensor:
        """Score a batch whose pairs are sorted by length.

        Returns:
            (N,) float32 logits on the CPU, float64 if the model computes in it.
        """
        ids = torch.tensor([i for pair in pairs for i in pair.ids], device=self.device)
        types = torch.tensor([i for pair in pairs for i in pair.types], device=self.device)
        logits: Tensor = self.model(ids, types, groups([len(pair.ids) for pair in pairs]))
        return logits.to("cpu", torch.promote_types(logits.dtype, torch.float32))
