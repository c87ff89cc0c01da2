"""A loaded JinaBERT: its tokenizer, its context, and the logits of a batch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError, MissingDependencyError
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

    def __init__(
        self, config: JinaBertConfig, tokenizer: Path, weights: Path, settings: Settings
    ) -> None:
        self.device = choose_device(settings.device)
        self.dtype = choose_dtype(settings.dtype, self.device)
        self.tokenizer = PairTokenizer(tokenizer)
        _check_vocabulary(self.tokenizer, config, settings.model)
        context = config.max_position_embeddings
        self.fit = Fit.of(settings, self.tokenizer.template, context, settings.model)
        self.model = checkpoint.load(weights, config, dtype=self.dtype, device=self.device)
        if settings.compile:
            self._compile()

    def _compile(self) -> None:
        """Compile, and run once, since torch finds out only then what it lacks."""
        self.model.compile_layers()
        try:
            self.logits([self.tokenizer.template.fill([0], [0])])
        except Exception as error:
            msg = (
                f"compile=True failed with {type(error).__name__}: it needs a C++ compiler; "
                f"install g++ or leave compile out"
            )
            raise MissingDependencyError(msg) from error

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


def choose_device(asked: object) -> torch.device:
    """Return the device asked for, or the GPU if CUDA has one, else the CPU.

    Raises:
        ValueError: It is not there.
    """
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(str(asked))
        torch.empty(1, device=device).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        msg = f"device {str(asked)!r} is not available here; leave device out to use what there is"
        raise ValueError(msg) from error
    return device


def choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    """Return the dtype asked for; for `auto` bfloat16 where the hardware computes in it."""
    if asked != "auto":
        dtype: torch.dtype = getattr(torch, asked)
        return dtype
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        has = torch.cpu.get_capabilities()
        native = any(has.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def _check_vocabulary(tokenizer: PairTokenizer, config: JinaBertConfig, model: str) -> None:
    """Raise if the tokenizer can give an id that the embeddings have no row for."""
    pair = tokenizer.template.fill([0], [0])
    for name, highest, rows in (
        ("token ids", tokenizer.highest_id, config.vocab_size),
        ("token types", max(pair.types), config.type_vocab_size),
    ):
        if highest >= rows:
            msg = (
                f"{model!r}: its tokenizer gives {name} up to {highest}, its model has {rows} rows"
            )
            raise CheckpointError(msg)
