"""Peers with a runtime of their own, on the ONNX file of `export`: ONNX Runtime and OpenVINO."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .export import FLOAT32, FOLDER, INPUTS
from .peer import Ids, PaddedPeer


class OnnxRuntime(PaddedPeer):
    """ONNX Runtime on the CPU, with all its optimizations and as many threads as torch has.

    Args:
        directory: The checkpoint, with the export below it.
        device: The CPU.
        batch: Pairs that are padded together.
        file: Which export.
        by_length: Sort pairs by length first.
    """

    def __init__(
        self,
        directory: Path,
        *,
        device: str = "cpu",  # noqa: ARG002 - as every contender has it
        batch: int,
        file: str = FLOAT32,
        by_length: bool = True,
    ) -> None:
        super().__init__(directory, batch=batch, by_length=by_length)
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session: Any = runtime.InferenceSession(
            str(directory / FOLDER / file), options, providers=["CPUExecutionProvider"]
        )

    def logits(self, ids: Ids, mask: Ids, types: Ids) -> NDArray[np.float32]:
        """Run a padded batch."""
        inputs = dict(zip(INPUTS, (ids, mask, types), strict=True))
        (found,) = self.session.run(None, inputs)
        logits: NDArray[np.float32] = found
        return logits


class OpenVino(PaddedPeer):
    """OpenVINO on the CPU, with as many threads as torch has.

    Args:
        directory: The checkpoint, with the export below it.
        device: The CPU.
        batch: Pairs that are padded together.
        precision: What it computes in, ``"f32"`` or ``"bf16"``.
    """

    def __init__(
        self,
        directory: Path,
        *,
        device: str = "cpu",  # noqa: ARG002 - as every contender has it
        batch: int,
        precision: str,
    ) -> None:
        super().__init__(directory, batch=batch)
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",  # one request at a time has all threads
        }
        path = directory / FOLDER / FLOAT32
        core = importlib.import_module("openvino").Core()
        self.model: Any = core.compile_model(str(path), "CPU", settings)

    def logits(self, ids: Ids, mask: Ids, types: Ids) -> NDArray[np.float32]:
        """Run a padded batch."""
        inputs = dict(zip(INPUTS, (ids, mask, types), strict=True))
        found: NDArray[np.float32] = self.model(inputs)[0]
        return found
