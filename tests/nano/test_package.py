"""The package of the built-in model by itself: data that is whole, and no dependency.

Only the standard library is used: in an environment of its own there is nothing else.
"""

import hashlib
import importlib.metadata
import importlib.resources
import json
import math
import struct
from typing import Any

PACKAGE = importlib.resources.files("jina_rerank_nano")
PARAMETERS = 15_604_225
WEIGHTS = "d16ea27ab53d226fe64bd8513cd286ccd668f6688f5391d3d68c041160ba4c59"
TOKENIZER = "0c46b01654f90dd87e6eeed68ca91b41ffb80b00216aaf1213a2fd15c827678c"


def header() -> dict[str, Any]:
    """Read the table at the start of the weights: a length of 8 bytes, then JSON."""
    with (PACKAGE / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        table: dict[str, Any] = json.loads(file.read(length))
    table.pop("__metadata__", None)
    return table


def sha256(name: str) -> str:
    return hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest()


def test_files_are_the_ones_that_were_measured() -> None:
    assert sha256("model.safetensors") == WEIGHTS
    assert sha256("tokenizer.json") == TOKENIZER


def test_weights_are_bfloat16_and_as_many_as_the_card_says() -> None:
    tensors = header().values()
    assert {tensor["dtype"] for tensor in tensors} == {"BF16"}
    assert sum(math.prod(tensor["shape"]) for tensor in tensors) == PARAMETERS


def test_weights_fill_their_file_without_gaps() -> None:
    spans = sorted(tensor["data_offsets"] for tensor in header().values())
    ends = [0, *(end for _, end in spans)]
    assert [start for start, _ in spans] == ends[:-1]
    assert ends[-1] == 2 * PARAMETERS


def test_vocabulary_has_the_size_that_the_configuration_gives() -> None:
    config = json.loads((PACKAGE / "config.json").read_text(encoding="utf-8"))
    tokenizer = json.loads((PACKAGE / "tokenizer.json").read_text(encoding="utf-8"))
    assert len(tokenizer["model"]["vocab"]) == config["vocab_size"]


def test_package_has_no_dependency_and_states_its_licence() -> None:
    metadata = importlib.metadata.metadata("jina-rerank-nano")
    assert metadata.get_all("Requires-Dist") is None
    assert metadata["License-Expression"] == "Apache-2.0"


def test_description_says_whose_model_it_is() -> None:
    assert "not a Jina AI release" in importlib.metadata.metadata("jina-rerank-nano")["Summary"]
