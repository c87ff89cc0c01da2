"""JinaBERT as an embedding model: the engine's layers without its head, and the mean of the tokens.

"Jina Embeddings 2" (Guenther et al. 2023, section 4): the reranker and the embedding models share
their architecture, so jina-embeddings-v2-base-en needs no remote code either.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor

from jina_rerank.backends.local import BATCH_TOKENS, BATCH_TOKENS_ELSEWHERE
from jina_rerank.errors import CheckpointError
from jina_rerank.hardware import choose_device, choose_dtype
from jina_rerank.hub import Directory, Hub, Source
from jina_rerank.jina_bert.batching import batches, groups
from jina_rerank.jina_bert.checkpoint import HEAD, IGNORED, damaged, published_names, refuse
from jina_rerank.jina_bert.config import JinaBertConfig, is_jina_bert, read_config
from jina_rerank.jina_bert.model import JinaBert

OWNER = "jinaai"
"""Whose models on the hub are called `jina-embeddings-v2-...`."""

HEADS = ("pooler.", "classifier.", "cls.")
"""Tensors of heads, which an embedding does not need."""


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
        self._files = [source.file("tokenizer.json"), source.file("model.safetensors")]
        self._device = choose_device(device)
        self._dtype = choose_dtype(dtype, self._device)
        self._tokenizer = _tokenizer(self._files[0], self._config.max_position_embeddings)
        self._model = _load(self._files[1], self._config).to(self._device, self._dtype)

    def identity(self) -> str:
        """Name the model by its files, and what it computes in."""
        return f"mean {self._digest} {self._dtype}"

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(repr(self._config).encode())
        for path in self._files:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

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


def _tokenizer(path: Path, longest: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers has no class of its own
        msg = f"{str(path)!r} is not a tokenizer file: {error}"
        raise CheckpointError(msg) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer


def _load(path: Path, config: JinaBertConfig) -> JinaBert:
    """Load all weights but the head's, in float32."""
    with torch.device("meta"):
        model = JinaBert(config)
    names = {
        ours: theirs for ours, theirs in published_names(model).items() if not ours.startswith(HEAD)
    }
    tensors = _read(path)
    wanted = [name for theirs in names.values() for name in theirs]
    extra = [name for name in tensors if name not in wanted and not name.startswith(HEADS)]
    refuse(
        repr(str(path)),
        {"missing": [name for name in wanted if name not in tensors], "unexpected": extra},
    )
    state = {
        ours: torch.cat([tensors[name] for name in theirs]).float()
        for ours, theirs in names.items()
    }
    shapes = {name: tuple(model.get_parameter(name).shape) for name in state}
    misshapen = [name for name, tensor in state.items() if tuple(tensor.shape) != shapes[name]]
    refuse(repr(str(path)), {"misshapen": misshapen})
    for head in HEAD:
        setattr(model, head, torch.nn.Identity())
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(requires_grad=False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            kept = [key for key in file.keys() if not key.endswith(IGNORED)]  # noqa: SIM118 - no mapping
            return {key.removeprefix("bert."): file.get_tensor(key) for key in kept}
    except SafetensorError as error:
        raise damaged(path, error) from error
