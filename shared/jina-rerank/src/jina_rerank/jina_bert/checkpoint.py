"""The published tensor names and ours: a table, and strict loading and saving by it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import CheckpointError
from .config import JinaBertConfig
from .model import JinaBert

IGNORED = (".position_ids", ".token_type_ids", ".alibi")
"""Buffers that some checkpoints carry and that the model computes."""

AROUND = {
    "embeddings.word_embeddings": "words",
    "embeddings.token_type_embeddings": "types",
    "embeddings.LayerNorm": "norm",
    "pooler.dense": "pooler",
    "classifier": "classifier",
}
"""Published module name to ours, outside the layers."""

HEAD = ("pooler", "classifier")
"""Our modules that make a logit of the first token."""

HEADS = ("pooler.", "classifier.", "cls.")
"""How the published names of tensors of heads begin, ours and others', without ``bert.``."""

INSIDE = {
    "attention.self.query": "qkv",
    "attention.self.key": "qkv",
    "attention.self.value": "qkv",
    "attention.output.dense": "attended",
    "attention.output.LayerNorm": "attention_norm",
    "mlp.gated_layers": "gated",
    "mlp.wo": "output",
    "mlp.layernorm": "output_norm",
}
"""The same inside a layer; what shares one of our names is stacked in this order."""

FLOATS = ("F64", "F32", "F16", "BF16")
"""Stored dtypes that hold the weights themselves; others would need a scale."""

SHOWN = 20
"""How many tensors a message lists."""


def published_names(model: JinaBert) -> dict[str, list[str]]:
    """Map each of our parameter names to the published ones whose rows it stacks.

    Names are without the prefix ``bert.``, which checkpoints may have or not.
    """
    modules = [(ours, [theirs]) for theirs, ours in AROUND.items()]
    for i in range(len(model.layers)):
        for ours in dict.fromkeys(INSIDE.values()):
            theirs = [f"encoder.layer.{i}.{name}" for name, own in INSIDE.items() if own == ours]
            modules.append((f"layers.{i}.{ours}", theirs))
    return {
        f"{ours}.{kind}": [f"{name}.{kind}" for name in theirs]
        for ours, theirs in modules
        for kind, _ in model.get_submodule(ours).named_parameters()
    }


def load(
    path: Path,
    config: JinaBertConfig,
    *,
    dtype: torch.dtype,
    device: torch.device,
    head: bool = True,
) -> JinaBert:
    """Load the weights of a safetensors file, whatever dtype they are stored in.

    Args:
        path: The file.
        config: The shapes to expect.
        dtype: What to compute in; the head, which costs nothing, in float32 at least.
        device: Where to.
        head: False leaves the head out, whichever the file has: `JinaBert.states` needs none.

    Returns:
        The model, in evaluation mode.

    Raises:
        CheckpointError: The file is damaged, a tensor is missing, unexpected or misshapen, or
            holds NaN or infinity. Up to `SHOWN` of each kind are listed.
    """
    with torch.device("meta"):
        model = JinaBert(config)
    if not head:
        for name in HEAD:
            setattr(model, name, nn.Identity())
    names = published_names(model)
    tensors = _read(path, model, names, () if head else HEADS)
    precise = torch.promote_types(dtype, torch.float32)
    state = {
        ours: torch.cat([tensors[name] for name in theirs]).to(
            device=device, dtype=precise if ours.startswith(HEAD) else dtype
        )
        for ours, theirs in names.items()
    }
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(requires_grad=False)


def save(model: JinaBert, config: JinaBertConfig, directory: Path) -> None:
    """Write a model as a checkpoint with the published names: config.json and model.safetensors.

    The tokenizer is not part of the model: put the tokenizer.json beside them.
    """
    state = model.state_dict()
    tensors = {
        theirs if theirs.startswith("classifier") else f"bert.{theirs}": part.contiguous()
        for ours, stacked in published_names(model).items()
        for theirs, part in zip(stacked, state[ours].chunk(len(stacked)), strict=True)
    }
    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    described = {
        "architectures": ["JinaBertForSequenceClassification"],
        "model_type": "bert",
        "position_embedding_type": "alibi",
        "num_labels": 1,
        **asdict(config),
    }
    text = json.dumps(described, indent=2) + "\n"
    (directory / "config.json").write_text(text, encoding="utf-8")


def _read(
    path: Path, model: JinaBert, names: dict[str, list[str]], left: tuple[str, ...]
) -> dict[str, Tensor]:
    """Read a file's tensors by their published names, but those that begin with one of `left`."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            stored = _stored_names(file.keys(), str(path), left)
            slices = {name: file.get_slice(key) for name, key in stored.items()}
            _check_slices(model, names, slices, str(path))
            tensors = {name: file.get_tensor(stored[name]) for name in stored}
    except SafetensorError as error:
        raise damaged(path, error) from error
    broken = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    refuse(repr(str(path)), {"not finite": broken})
    return tensors


def damaged(path: Path, error: SafetensorError) -> CheckpointError:
    """Say that a file is not whole, and what to do."""
    # In the hub's cache the path is a link; the file that has to go is what it points to.
    return CheckpointError(
        f"{str(path.resolve())!r} is not a whole safetensors file: {error}; "
        f"delete it and download it again"
    )


def _stored_names(keys: Iterable[str], path: str, left: tuple[str, ...]) -> dict[str, str]:
    """Map names without the prefix to the names in the file, without `left` and ignored buffers."""
    kept = [
        key
        for key in keys
        if not key.endswith(IGNORED) and not key.removeprefix("bert.").startswith(left)
    ]
    stored = {key.removeprefix("bert."): key for key in kept}
    doubled = [key for key in kept if stored[key.removeprefix("bert.")] != key]
    refuse(repr(path), {"there with and without 'bert.'": doubled})
    return stored


def _check_slices(
    model: JinaBert, names: dict[str, list[str]], slices: dict[str, Any], path: str
) -> None:
    """Compare the file's header with the model before any data is read."""
    expected = dict(_published_shapes(model, names))
    shapes = {name: part.get_shape() for name, part in slices.items()}
    dtypes = {name: part.get_dtype() for name, part in slices.items()}
    complaints = {
        "missing": [name for name in expected if name not in shapes],
        "unexpected": [name for name in shapes if name not in expected],
        "misshapen": [
            f"{name} is {shapes[name]}, not {shape}"
            for name, shape in expected.items()
            if shapes.get(name, shape) != shape
        ],
        "no plain float": [f"{n} is {dtype}" for n, dtype in dtypes.items() if dtype not in FLOATS],
    }
    refuse(repr(path), complaints)


def _published_shapes(
    model: JinaBert, names: dict[str, list[str]]
) -> Iterator[tuple[str, list[int]]]:
    for ours, theirs in names.items():
        rows, *columns = model.get_parameter(ours).shape
        for name in theirs:
            yield name, [rows // len(theirs), *columns]


def refuse(where: str, complaints: dict[str, list[str]]) -> None:
    """Raise if there is any complaint.

    Args:
        where: The checkpoint in the message.
        complaints: What is wrong, each with the names of the tensors.

    Raises:
        CheckpointError: Something is; up to `SHOWN` tensors of each kind are listed.
    """
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"
        for kind, names in complaints.items()
        if names
    ]
    if parts:
        msg = (
            f"the tensors of {where} do not make this model: {'; '.join(parts)}; "
            f"get its files again, or use another checkpoint"
        )
        raise CheckpointError(msg)
