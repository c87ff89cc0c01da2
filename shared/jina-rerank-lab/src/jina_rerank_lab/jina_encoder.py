"""JinaBERT as an embedding model: the engine's layers without its head, and the mean of the tokens.

"Jina Embeddings 2" (Guenther et al. 2023, section 4): the reranker and the embedding models share
their architecture, so jina-embeddings-v2-base-en needs no remote code either.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jina_rerank.backends.local import BATCH_TOKENS, BATCH_TOKENS_ELSEWHERE
from jina_rerank.checkpoint import Checkpoint
from jina_rerank.hardware import choose_device, choose_dtype
from jina_rerank.hub import Directory, Hub, Source
from jina_rerank.jina_bert import checkpoint
from jina_rerank.jina_bert.batching import batches, groups
from jina_rerank.jina_bert.config import JinaBertConfig, is_jina_bert, read_config
from jina_rerank.jina_bert.tokenizer import read_tokenizer

OWNER = "jinaai"
"""Whose models on the hub are called `jina-embeddings-v2-...`."""


class JinaEncoder:
    """An embedding model of the JinaBERT architecture.

    Args:
        spec: Such as `jina-embeddings-v2-base-en`, a hub id, or a directory.
        device: As PyTorch calls it; None is the GPU if there is one, else the CPU.
        dtype: As for `Reranker`.

    Raises:
        CheckpointError: The files do not make such a model.
        ModelNotFoundError: They cannot be had.
    """

    def __init__(self, spec: str, *, device: str | None = None, dtype: str = "auto") -> None:
        self.name = spec
        source = _source(spec)
        self._config = JinaBertConfig.of(read_config(source.file("config.json")), repr(spec))
        tokenizer, weights = source.file("tokenizer.json"), source.file("model.safetensors")
        self._files = Checkpoint(config=self._config, tokenizer=tokenizer, weights=[weights])
        self._device = choose_device(device)
        self._dtype = choose_dtype(dtype, self._device)
        self._tokenizer = read_tokenizer(tokenizer)
        self._tokenizer.enable_truncation(self._config.max_position_embeddings)
        self._model = checkpoint.load(
            weights, self._config, dtype=self._dtype, device=self._device, head=False
        )

    def identity(self) -> str:
        """Name the model by its files, and what it computes in."""
        return f"mean {self._digest} {self._dtype}"

    @cached_property
    def _digest(self) -> str:
        return self._files.digest()

    def encode(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:  # noqa: ARG002 - both are read alike
        """Embed texts; see `Embedder.encode`."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        vectors = np.zeros((len(ids), self._config.hidden_size), dtype=np.float32)
        budget = BATCH_TOKENS.get(self._device.type, BATCH_TOKENS_ELSEWHERE)
        for batch in batches([len(some) for some in ids], budget):
            vectors[batch] = self._means([ids[place] for place in batch]).numpy()
        return vectors

    @torch.inference_mode()
    def _means(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Embed inputs that are sorted by length: (N, C) float32, each of length 1."""
        shapes = groups([len(some) for some in ids])
        flat = torch.tensor([i for some in ids for i in some], device=self._device)
        x = self._model.states(flat, torch.zeros_like(flat), shapes)
        parts = x.float().split([group.tokens for group in shapes])
        means = [
            part.view(group.count, group.length, -1).mean(1)
            for part, group in zip(parts, shapes, strict=True)
        ]
        return torch.nn.functional.normalize(torch.cat(means), dim=1).cpu()


def is_encoder(spec: str) -> bool:
    """Tell whether a name is that of such a model: `jina-embeddings-v2-...`, or a directory."""
    path = Path(spec) / "config.json"
    if path.is_file():
        return is_jina_bert(read_config(path))
    # The one for code has another architecture: it normalises queries and keys.
    name = spec.removeprefix(f"{OWNER}/")
    return name.startswith("jina-embeddings-v2-") and "/" not in name and not name.endswith("-code")


def _source(spec: str) -> Source:
    if Path(spec).is_dir():
        return Directory(Path(spec))
    return Hub(repo=spec if "/" in spec else f"{OWNER}/{spec}")
