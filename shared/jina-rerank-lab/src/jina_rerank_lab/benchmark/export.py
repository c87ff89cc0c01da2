"""A checkpoint as an ONNX file, which ONNX Runtime and OpenVINO run, and its int8 form."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file

from .checkpoints import CONFIG, WEIGHTS
from .padded import PaddedJinaBert

FOLDER = "onnx"
FLOAT32, INT8 = "model.onnx", "model_int8.onnx"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "logits"


def load(directory: Path) -> PaddedJinaBert:
    """Load a checkpoint's weights into the padded model, in float32."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    model = PaddedJinaBert(config)
    model.load_state_dict({n: t.float() for n, t in load_file(directory / WEIGHTS).items()})
    return model.eval()


def to_onnx(directory: Path) -> Path:
    """Export a checkpoint of `checkpoints.write` in float32, once.

    Returns:
        The file, below the checkpoint's directory.
    """
    path = directory / FOLDER / FLOAT32
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        example = tuple(torch.ones(2, 8, dtype=torch.int64) for _ in INPUTS)
        free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
        with quiet():
            torch.onnx.export(
                load(directory),
                example,
                path,
                input_names=INPUTS,
                output_names=[OUTPUT],
                dynamic_shapes=(free, free, free),
                dynamo=True,
                verbose=False,
            )
    return path


def to_int8(directory: Path) -> Path:
    """Quantize the matrix products of the export, their inputs while it runs, once.

    Returns:
        The file, below the checkpoint's directory.
    """
    path = directory / FOLDER / INT8
    if not path.exists():
        from onnxruntime import quantization  # noqa: PLC0415 - of the extra `peers`

        exported = to_onnx(directory)
        with quiet():
            quantization.quantize_dynamic(
                exported,
                path,
                op_types_to_quantize=["MatMul", "Gemm"],
                weight_type=quantization.QuantType.QInt8,
            )
    return path


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what the exporters log of libraries that this model does not need."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
