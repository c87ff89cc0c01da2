"""Weights through transformers: safetensors only, complete, finite, and never remote code."""

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError, MissingDependencyError, ModelNotFoundError
from ..hub import Source
from ..jina_bert.checkpoint import damaged, refuse

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
"""Of weights in several files: the file of each tensor."""

NUMBERED = re.compile(r"\.\d+\.")
"""In the name of a tensor: it is one of a stack of layers."""

_locks = [threading.Lock()]
"""One: transformers loads with settings of the whole process, so one model loads at a time."""


def _after_fork_in_child() -> None:
    _locks[0] = threading.Lock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)


def weights(source: Source) -> list[Path]:
    """Return the files of a checkpoint's weights, fetching them first if need be.

    Raises:
        CheckpointError: The index of several files cannot be read.
        ModelNotFoundError: There are none in safetensors.
    """
    try:
        return [source.file(WEIGHTS)]
    except ModelNotFoundError as missing:
        try:
            index = source.file(INDEX)
        except ModelNotFoundError:
            raise missing from None
    return [source.file(name) for name in _files(index)]


def _files(index: Path) -> list[str]:
    """Name the files that an index of tensors names."""
    msg = f"{str(index)!r} does not say which file holds which tensor"
    try:
        stored = json.loads(index.read_text(encoding="utf-8"))
        files = sorted({Path(name).name for name in stored["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(msg) from error
    if not files or "metadata" not in stored:  # which transformers reads
        raise CheckpointError(msg)
    return files


def load(files: list[Path], values: Mapping[str, Any], *, dtype: torch.dtype, where: str) -> Any:
    """Load the model of a config with the weights of some files.

    Args:
        files: What `weights` returned: files of one directory.
        values: What config.json says, checked.
        dtype: What to compute in.
        where: The checkpoint in messages.

    Returns:
        transformers' model, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: The files are damaged, a weight is missing, misshapen or not finite, or
            transformers cannot build such a model.
        MissingDependencyError: transformers is not installed.
    """
    try:
        import transformers  # noqa: PLC0415 - slow, and not needed for JinaBERT
    except ModuleNotFoundError as error:
        msg = f"{where} needs {error.name}: pip install 'jina-rerank[local]'"
        raise MissingDependencyError(msg, name=error.name) from error

    for file in files:
        _check_header(file)
    with _locks[0], _quiet(transformers), _explained(where, values):
        model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
            files[0].parent,
            dtype=torch.float32,  # any other is torch's default meanwhile, in all threads
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
            output_loading_info=True,
        )
    broken = [name for name, part in model.named_parameters() if not bool(part.isfinite().all())]
    complaints = {
        "missing": sorted(report["missing_keys"]),
        # Other heads may be there; layers that the config does not have may not.
        "unexpected": sorted(filter(NUMBERED.search, report["unexpected_keys"])),
        "misshapen": [_misshapen(*entry) for entry in sorted(report["mismatched_keys"])],
        "not finite": broken,
    }
    refuse(where, complaints)
    return model.to(dtype).eval().requires_grad_(requires_grad=False)


def _check_header(file: Path) -> None:
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            opened.keys()
    except SafetensorError as error:
        raise damaged(file, error) from error


def _misshapen(name: str, stored: Any, expected: Any) -> str:
    return f"{name} is {list(stored)}, not {list(expected)}"


@contextmanager
def _explained(where: str, values: Mapping[str, Any]) -> Iterator[None]:
    """Turn what transformers raises about a checkpoint into one line of ours."""
    try:
        yield
    except Exception as error:  # of many libraries, and of classes that share no base
        kind = values["model_type"]
        reason = " ".join(str(error).split())
        msg = f"transformers cannot load {where} (model_type {kind!r}): {type(error).__name__}: {reason}"
        raise CheckpointError(msg) from error


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep its loading bars and reports off the terminal: what is wrong is raised."""
    logging = transformers.utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
