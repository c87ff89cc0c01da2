"""A BERT encoder, its inputs laid end to end: what students start from and learn from.

transformers has the same model, but pads; and nothing there hands out what a warm start looks at.
Dimensions: T tokens in all, N inputs of one length L, H heads of width D, C = H * D.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from jina_rerank.errors import CheckpointError
from jina_rerank.hub import Source
from jina_rerank.jina_bert import config as jina_bert_config
from jina_rerank.jina_bert.batching import Group, batches, groups
from jina_rerank.jina_bert.checkpoint import damaged
from jina_rerank.jina_bert.rows import extended, padded
from jina_rerank.jina_bert.tokenizer import read_tokenizer

BATCH_TOKENS = 8192
"""Tokens of a forward pass."""

LONGEST = 256
"""Tokens of a text, which the encoders of sentence-transformers were trained with or about so."""

Tap = Callable[[str, int, Tensor], object]
"""Is shown what layers compute: a name, the layer, the tensor; see `Encoder.forward`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The part of a BERT's config.json that its encoder depends on."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12


class Encoder(nn.Module):
    """BERT without a head: absolute positions, post-norm layers, dense feed-forward parts."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.config = config
        self.words = nn.Embedding(config.vocab_size, width)
        self.places = nn.Embedding(config.max_position_embeddings, width)
        self.types = nn.Embedding(config.type_vocab_size, width)
        self.norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(
        self, ids: Tensor, types: Tensor, groups: Sequence[Group], tap: Tap | None = None
    ) -> Tensor:
        """Encode a batch.

        Args:
            ids: (T,) int64, the token ids of all inputs, end to end.
            types: (T,) int64, their token types.
            groups: The lengths of the inputs, in their order.
            tap: Is called in each layer with ``"attention"`` and the weights (N, H, L, L) of each
                group, ``"normed"`` and the (T, C) that go into the feed-forward part, ``"inner"``
                and its activations (T, I).

        Returns:
            (T, C), the last layer's states.
        """
        places = torch.cat([torch.arange(g.length).repeat(g.count) for g in groups]).to(ids.device)
        x = padded(self.norm(self.words(ids) + self.places(places) + self.types(types)))
        for i, layer in enumerate(self.stack()):
            x = layer(x, groups, i, tap)
        return x[: len(ids)]

    def stack(self) -> "list[EncoderLayer]":
        """Return the layers."""
        return cast("list[EncoderLayer]", list(self.layers))


class EncoderLayer(nn.Module):
    """A post-norm transformer layer: attention, then a dense feed-forward part."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, inner, eps = config.hidden_size, config.intermediate_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps)
        self.inner = nn.Linear(width, inner)
        self.output = nn.Linear(inner, width)
        self.output_norm = nn.LayerNorm(width, eps)

    def forward(self, x: Tensor, groups: Sequence[Group], i: int, tap: Tap | None) -> Tensor:
        """Transform every token, (T, C) to (T, C), as layer `i`."""
        tokens = [group.tokens for group in groups]
        parts = self.qkv(x)[: sum(tokens)].split(tokens)
        contexts = []
        for group, part in zip(groups, parts, strict=True):
            qkv = part.view(group.count, group.length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            q, k, v = qkv
            if tap is not None:
                weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(3)
                tap("attention", i, weights)
            context = F.scaled_dot_product_attention(q, k, v)
            contexts.append(context.transpose(1, 2).reshape(group.tokens, -1))
        x = self.attention_norm(self.attended(extended(torch.cat(contexts), len(x))) + x)
        inner = F.gelu(self.inner(x))
        if tap is not None:
            tap("normed", i, x[: sum(tokens)])
            tap("inner", i, inner[: sum(tokens)])
        normed: Tensor = self.output_norm(self.output(inner) + x)
        return normed


NAMES = {
    "words": ["embeddings.word_embeddings"],
    "places": ["embeddings.position_embeddings"],
    "types": ["embeddings.token_type_embeddings"],
    "norm": ["embeddings.LayerNorm"],
}
"""Our module names to those of BERT's checkpoints, outside the layers."""

INSIDE = {
    "qkv": [f"attention.self.{name}" for name in ("query", "key", "value")],
    "attended": ["attention.output.dense"],
    "attention_norm": ["attention.output.LayerNorm"],
    "inner": ["intermediate.dense"],
    "output": ["output.dense"],
    "output_norm": ["output.LayerNorm"],
}
"""The same inside a layer; several are stacked in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEncoder:
    """An encoder in evaluation mode, with its tokenizer.

    Attributes:
        model: The encoder, in float32.
        tokenizer: Without truncation and padding.
        max_length: The longest input in tokens, special tokens included.
    """

    model: Encoder
    tokenizer: Tokenizer
    max_length: int

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text with its special tokens, cut to the longest input."""
        encodings = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        before, after = _specials(self.tokenizer)
        room = self.max_length - len(before) - len(after)
        return [[*before, *encoding.ids[:room], *after] for encoding in encodings]

    @torch.no_grad()
    def states(self, inputs: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], list[Tensor]]]:
        """Encode inputs, similar lengths together.

        Yields:
            The indices of some inputs, and the states (L, C) of each in bfloat16; each index once.
        """
        for batch in batches([len(ids) for ids in inputs], BATCH_TOKENS):
            ids = torch.tensor([token for i in batch for token in inputs[i]])
            lengths = [len(inputs[i]) for i in batch]
            yield batch, list(self.run(ids, groups(lengths)).bfloat16().split(lengths))

    @torch.no_grad()
    def run(
        self,
        ids: Tensor,
        groups: Sequence[Group],
        *,
        types: Tensor | None = None,
        tap: Tap | None = None,
    ) -> Tensor:
        """Encode a batch, of single texts if there are no `types`; see `Encoder.forward`."""
        device = self.model.words.weight.device
        ids = ids.to(device)
        kinds = torch.zeros_like(ids) if types is None else types.to(device)
        with torch.autocast(device.type, torch.bfloat16):
            states: Tensor = self.model(ids, kinds, groups, tap)
        return states


def load(files: Source, device: torch.device) -> LoadedEncoder:
    """Load a BERT encoder's config.json, tokenizer.json and model.safetensors.

    Raises:
        CheckpointError: They are no BERT encoder of the original form.
        ModelNotFoundError: One of them cannot be had.
    """
    values = read_config(files.file("config.json"))
    config = EncoderConfig(
        **{name: values[name] for name in EncoderConfig.__dataclass_fields__ if name in values}
    )
    model = Encoder(config)
    model.load_state_dict(_state(files.file("model.safetensors"), config))
    tokenizer = read_tokenizer(files.file("tokenizer.json"))
    model.eval().requires_grad_(requires_grad=False).to(device)
    longest = min(config.max_position_embeddings, LONGEST)
    return LoadedEncoder(model=model, tokenizer=tokenizer, max_length=longest)


def read_config(path: Path) -> dict[str, Any]:
    """Read a config.json, and raise `CheckpointError` if it is not that of a BERT encoder."""
    values = jina_bert_config.read_config(path)
    wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    for name, value in wanted.items():
        if values.get(name, value) != value:
            msg = f"{str(path)!r} has {name} {values[name]!r}, not {value!r}: no BERT encoder"
            raise CheckpointError(msg)
    return values


def _state(path: Path, config: EncoderConfig) -> dict[str, Tensor]:
    """Read the weights under our names; what the encoder does not need is left out."""
    try:
        stored = {name.removeprefix("bert."): t for name, t in load_file(path).items()}
    except SafetensorError as error:
        raise damaged(path, error) from error
    names = dict(NAMES)
    for i in range(config.num_hidden_layers):
        for ours, theirs in INSIDE.items():
            names[f"layers.{i}.{ours}"] = [f"encoder.layer.{i}.{name}" for name in theirs]
    state = {}
    try:
        for ours, theirs in names.items():
            for kind in ("weight", "bias"):
                if kind == "weight" or ours not in {"words", "places", "types"}:
                    parts = [stored[f"{name}.{kind}"].float() for name in theirs]
                    state[f"{ours}.{kind}"] = torch.cat(parts)
    except KeyError as error:
        msg = f"{str(path)!r} lacks the tensor {error}, which a BERT encoder has"
        raise CheckpointError(msg) from error
    return state


def _specials(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after a text."""
    encoding = tokenizer.encode("a")
    places = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
    return encoding.ids[: places[0]], encoding.ids[places[-1] + 1 :]
