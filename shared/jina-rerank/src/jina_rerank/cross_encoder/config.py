"""What a config.json has to say before transformers is asked to build its model."""

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError

HEAD = "ForSequenceClassification"
"""What transformers calls an encoder with a classification head."""

DEFAULT_LABELS = 2
"""The number of labels where a config says nothing, in transformers."""


def check(values: Mapping[str, Any], where: str) -> None:
    """Raise unless a config describes a cross-encoder with one score that needs no own code.

    Args:
        values: What config.json says.
        where: The checkpoint in messages.

    Raises:
        CheckpointError: It does not; the message lists every reason.
    """
    reasons = list(
        filter(None, (_architecture(values), _direction(values), _code(values), _labels(values)))
    )
    if reasons:
        use = "use a cross-encoder with one score, such as turbo, tiny or nano"
        msg = f"{where} is not a reranker that can run here: {'; '.join(reasons)}; {use}"
        raise CheckpointError(msg)


def _architecture(values: Mapping[str, Any]) -> str | None:
    if not isinstance(values.get("model_type"), str):
        return f"its config.json has model_type {values.get('model_type')!r}, not a name"
    names = values.get("architectures")
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    # Absent in old checkpoints; then their weights tell.
    if names is None or (named and any(name.endswith(HEAD) for name in names)):
        return None
    found = ", ".join(names) if named and names else repr(names)
    return f"its architecture is {found}, without a classification head ({HEAD})"


def _direction(values: Mapping[str, Any]) -> str | None:
    # The position that such a model scores at would see nothing of the pair.
    return "it is a decoder (is_decoder)" if values.get("is_decoder") else None


def _code(values: Mapping[str, Any]) -> str | None:
    # A built-in class of the same model_type would load such weights, or some, and compute
    # something else.
    if not values.get("auto_map"):
        return None
    return "it needs code of its own (auto_map), and remote code is never run"


def _labels(values: Mapping[str, Any]) -> str | None:
    names = values.get("id2label")
    default = len(names) if isinstance(names, dict) else DEFAULT_LABELS
    labels = values.get("num_labels", default)
    return None if labels == 1 else f"num_labels is {labels!r}, not 1"
