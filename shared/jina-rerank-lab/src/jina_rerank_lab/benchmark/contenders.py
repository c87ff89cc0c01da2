"""Who runs in the benchmark: ways to score strings with a checkpoint.

A new peer is one class that opens a checkpoint, in a module of its own or beside its kin, and one
line in `CONTENDERS`. Contenders are found by their names, which is how a process is told who it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from jina_rerank.types import Request

from . import engine, export, runtimes, torch_peers
from .peer import CONTEXT
from .workloads import Workload

CACHED_SCORES = 10_000
BATCH_SIZES = (4, 8, 16, 32)
"""What a peer that pads may choose from: the fastest of them is measured."""

UNSORTED = 64
"""The batch of fastembed's rerankers, which take documents as they come."""


class Scorer(Protocol):
    """A loaded model: from strings to scores in [0, 1], also in two steps."""

    def score(self, requests: Sequence[Request]) -> list[float]:
        """Return one score per document, request after request, in input order."""

    def encode(self, requests: Sequence[Request]) -> Any:
        """Return the token ids of each pair, in whatever form `forward` takes them."""

    def forward(self, encoded: Any) -> list[float]:
        """Return what `score` returns for what was encoded."""

    def close(self) -> None:
        """Free the model."""


class Start(Protocol):
    """Opens and loads a checkpoint."""

    def __call__(self, directory: Path, *, device: str, batch: int) -> Scorer:
        """Load a checkpoint.

        Args:
            directory: The checkpoint.
            device: ``"cpu"`` or ``"cuda"``.
            batch: Sequences that are padded together, by those who pad.
        """


def nothing(_: Workload) -> int:
    """Ask for no memory in particular."""
    return 0


def unprepared(_: Path) -> None:
    """Need no other files than the checkpoint's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """A way to score.

    Attributes:
        name: What its lines say; on the command line with hyphens for spaces.
        start: Opens and loads a checkpoint directory.
        prepare: Makes files below the directory that it needs, before anything is measured.
        memory: How many bytes a call may take above the model, so that a machine with less skips
            the workload instead of dying on it.
        patience: A workload with a pair of more tokens is run once, not in every round.
        batch_sizes: What to choose the fastest of; the first is the default.
        libraries: The modules that have to be installed for it.
        devices: Where it runs.
        dtype: What it computes in; empty where the loaded tensors tell.
        family: True if it runs any cross-encoder, not JinaBERT alone.
    """

    name: str
    start: Start
    prepare: Callable[[Path], object] = unprepared
    memory: Callable[[Workload], int] = nothing
    patience: int = CONTEXT
    batch_sizes: tuple[int, ...] = (32,)
    libraries: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtype: str = ""
    family: bool = False


def padded_memory(workload: Workload, *, batch: int = 32, matrices: int = 4) -> int:
    """Estimate the peak: float32 matrices (B, H, L, L) of scores, with 12 heads, and a tenth.

    That is 14 GB for the reference and 8,192 tokens; measured are 13 GB.
    """
    size, longest = min(batch, len(workload.lengths)), max(workload.lengths)
    return int(1.1 * 4 * matrices * size * 12 * longest**2)


PEER_MEMORY = partial(padded_memory, batch=min(BATCH_SIZES), matrices=3)

REFERENCE = Contender(
    name="reference float32",
    start=torch_peers.Reference,
    memory=padded_memory,
    patience=CONTEXT // 2,
)
FLOAT32 = Contender(
    name="engine float32", start=partial(engine.Engine, dtype="float32"), family=True
)
AUTO = Contender(name="engine auto", start=partial(engine.Engine, dtype="auto"), family=True)
CACHED = Contender(
    name="engine auto, cache",
    start=partial(engine.Engine, dtype="auto", cache=CACHED_SCORES),
)
CROSS_ENCODER = Contender(
    name="CrossEncoder float32",
    start=torch_peers.SentenceTransformers,
    memory=partial(padded_memory, matrices=2),
    libraries=("sentence_transformers",),
    family=True,
)
ONNX_RUNTIME = Contender(
    name="onnxruntime float32",
    dtype="float32",
    start=runtimes.OnnxRuntime,
    prepare=export.to_onnx,
    memory=PEER_MEMORY,
    patience=CONTEXT // 2,
    batch_sizes=BATCH_SIZES,
    libraries=("onnx", "onnxruntime", "onnxscript"),
    devices=("cpu",),
)
OPENVINO = replace(
    ONNX_RUNTIME,
    name="openvino float32",
    start=partial(runtimes.OpenVino, precision="f32"),
    libraries=("onnx", "onnxscript", "openvino"),
)

CONTENDERS = (
    REFERENCE,
    Contender(
        name="reference bfloat16",
        start=partial(torch_peers.Reference, dtype="bfloat16"),
        memory=padded_memory,
        patience=CONTEXT // 2,
    ),
    Contender(
        name="reference compiled",
        start=torch_peers.Compiled,
        memory=PEER_MEMORY,
        patience=CONTEXT // 2,
        batch_sizes=BATCH_SIZES,
    ),
    FLOAT32,
    Contender(name="engine bfloat16", start=partial(engine.Engine, dtype="bfloat16"), family=True),
    Contender(
        name="engine float16",
        start=partial(engine.Engine, dtype="float16"),
        devices=("cuda",),
        family=True,
    ),
    AUTO,
    CACHED,
    CROSS_ENCODER,
    ONNX_RUNTIME,
    replace(
        ONNX_RUNTIME,
        name="onnxruntime int8",
        dtype="int8",
        start=partial(runtimes.OnnxRuntime, file=export.INT8),
        prepare=export.to_int8,
    ),
    replace(
        ONNX_RUNTIME,
        name="fastembed style",
        start=partial(runtimes.OnnxRuntime, by_length=False),
        memory=partial(padded_memory, batch=UNSORTED, matrices=3),
        batch_sizes=(UNSORTED,),
    ),
    OPENVINO,
    replace(
        OPENVINO,
        name="openvino bfloat16",
        dtype="bfloat16",
        start=partial(runtimes.OpenVino, precision="bf16"),
    ),
)

DEFAULTS = (
    "engine auto",
    "engine float32",
    "reference float32",
    "CrossEncoder float32",
    "onnxruntime float32",
    "onnxruntime int8",
    "openvino float32",
    "openvino bfloat16",
)
"""Who runs unless the command line says otherwise."""

GROUPS = {
    "engine": ("engine auto", "engine float32"),
    "all": tuple(one.name for one in CONTENDERS if one is not CACHED),
}
"""What one word on the command line stands for."""


def find(name: str) -> Contender:
    """Return a contender by its name, with hyphens for spaces or as it is.

    Raises:
        KeyError: There is none of that name.
    """
    by_name = {slug(one.name): one for one in CONTENDERS}
    return by_name[slug(name)]


def slug(name: str) -> str:
    """Write a contender's name as the command line takes it.

    >>> slug("CrossEncoder float32")
    'crossencoder-float32'
    """
    return name.lower().replace(",", "").replace(" ", "-")
