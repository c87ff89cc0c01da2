"""Peers that run in PyTorch: the reference, the reference compiled, sentence-transformers."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Encoding, Tokenizer

from jina_rerank.jina_bert.config import is_jina_bert
from jina_rerank.types import Request

from . import export, reference
from .checkpoints import CONFIG, TOKENIZER, WEIGHTS
from .peer import CONTEXT, Ids, PaddedPeer
from .workloads import pairs

CROSS_ENCODER_BATCH = 32  # its default

Batches: TypeAlias = list[tuple[list[int], dict[str, Any]]]
"""The places of pairs that are padded together, and what the model takes for them."""


class Reference:
    """The reference forward behind the same tokenizer as the engine's.

    Args:
        directory: The checkpoint.
        device: Where to.
        batch: Sequences that are padded together, in the given order.
        dtype: Of the weights and of the computation.
    """

    def __init__(
        self,
        directory: Path,
        *,
        device: str = "cpu",
        batch: int = reference.BATCH_SIZE,
        dtype: str = "float32",
    ) -> None:
        self.batch = batch
        self.config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(directory / WEIGHTS)
        self.state = reference.cast(weights, getattr(torch, dtype), device)
        self.tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
        self.tokenizer.enable_truncation(CONTEXT)  # longest first, as the default is

    def score(self, requests: Sequence[Request]) -> list[float]:
        """Return the sigmoid of each document's logit."""
        return self.forward(self.encode(requests))

    def encode(self, requests: Sequence[Request]) -> list[Encoding]:
        """Return the tokens of each pair."""
        return self.tokenizer.encode_batch(list(pairs(requests)))

    def forward(self, encoded: Sequence[Encoding]) -> list[float]:
        """Return the sigmoid of each pair's logit."""
        ids = [encoding.ids for encoding in encoded]
        types = [encoding.type_ids for encoding in encoded]
        logits = reference.logits(self.state, self.config, ids, types, batch_size=self.batch)
        scores: list[float] = torch.sigmoid(logits.float()).tolist()
        return scores

    def close(self) -> None:
        """Free the weights."""
        self.state = {}


class Compiled(PaddedPeer):
    """The padded model through ``torch.compile``, in float32.

    Args:
        directory: The checkpoint.
        device: Where to.
        batch: Pairs that are padded together.
        backend: What compiles; a test takes one that needs no C++ compiler.
    """

    def __init__(
        self, directory: Path, *, device: str = "cpu", batch: int, backend: str = "inductor"
    ) -> None:
        super().__init__(directory, batch=batch)
        self.device = device
        model = export.load(directory).to(device)
        self.run: Any = torch.compile(model, dynamic=True, backend=backend)

    @torch.inference_mode()
    def logits(self, ids: Ids, mask: Ids, types: Ids) -> NDArray[np.float32]:
        """Run a padded batch."""
        placed = (torch.from_numpy(part).to(self.device) for part in (ids, mask, types))
        found: NDArray[np.float32] = self.run(*placed).cpu().numpy()
        return found


class SentenceTransformers:
    """``sentence_transformers.CrossEncoder`` in float32, with its own default batch size.

    It cannot load a JinaBERT by itself: `for_transformers` puts our weights behind its interface.
    """

    def __init__(
        self, directory: Path, *, device: str = "cpu", batch: int = CROSS_ENCODER_BATCH
    ) -> None:
        self.batch = batch
        values = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        if is_jina_bert(values):
            from . import for_transformers  # noqa: PLC0415 - slow to load

            for_transformers.register()
            directory = for_transformers.write(directory)
        self.model = importlib.import_module("sentence_transformers").CrossEncoder(
            str(directory),
            device=device,
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )

    def score(self, requests: Sequence[Request]) -> list[float]:
        """Return the sigmoid of each document's logit."""
        scores: list[float] = self.model.predict(
            list(pairs(requests)),
            batch_size=self.batch,
            activation_fn=torch.nn.Sigmoid(),
            show_progress_bar=False,
        ).tolist()
        return scores

    def encode(self, requests: Sequence[Request]) -> Batches:
        """Return padded batches by falling length, as its own `predict` makes them."""
        texts = list(pairs(requests))
        order = sorted(range(len(texts)), key=lambda at: -sum(map(len, texts[at])))
        batches = [order[at : at + self.batch] for at in range(0, len(order), self.batch)]
        return [(batch, self.model.preprocess([texts[at] for at in batch])) for batch in batches]

    @torch.inference_mode()
    def forward(self, encoded: Batches) -> list[float]:
        """Return the sigmoid of each pair's logit."""
        found = torch.empty(sum(len(places) for places, _ in encoded))
        for places, inputs in encoded:
            placed = {
                name: value.to(self.model.device) if isinstance(value, torch.Tensor) else value
                for name, value in inputs.items()
            }
            found[places] = torch.sigmoid(self.model(placed)["scores"]).flatten().cpu()
        scores: list[float] = found.tolist()
        return scores

    def close(self) -> None:
        """Free the model."""
        self.model = None
