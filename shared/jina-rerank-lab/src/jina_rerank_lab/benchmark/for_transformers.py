"""JinaBERT behind transformers' interface, so that sentence-transformers can run our weights.

The published remote code does not import on transformers 5; this is the padded model of the
benchmark under a model type of its own.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils import logging

from . import padded
from .checkpoints import CONFIG, TOKENIZER, WEIGHTS

FOLDER = "transformers"
MODEL_TYPE = "jina-rerank-lab-padded"
REMOTE = ("attn_implementation", "auto_map")
"""What a config.json says to the published remote code alone."""

TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_input_names": ["input_ids", "attention_mask", "token_type_ids"],
    "model_max_length": 8192,
}


class PaddedConfig(PretrainedConfig):
    """A published config.json under our model type."""

    model_type = MODEL_TYPE


class PaddedForSequenceClassification(PreTrainedModel):
    """`padded.PaddedJinaBert` as transformers loads and calls a model."""

    config_class = PaddedConfig
    _supports_sdpa = True

    def __init__(self, config: PaddedConfig) -> None:
        super().__init__(config)
        self.num_labels = 1
        for name, module in padded.PaddedJinaBert(config.to_dict()).named_children():
            self.add_module(name, module)
        self.post_init()  # type: ignore[no-untyped-call] # transformers' own

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Score a padded batch: (B, L) ids and mask to (B, 1) logits."""
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        state = dict(self.named_parameters())
        values = self.config.to_dict()
        logits = padded.logits(state, values, input_ids, attention_mask, types)
        return SequenceClassifierOutput(logits=logits[:, None])


def register() -> None:
    """Tell transformers of the model type, and to load it without a bar."""
    logging.disable_progress_bar()
    AutoConfig.register(MODEL_TYPE, PaddedConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(
        PaddedConfig, PaddedForSequenceClassification, exist_ok=True
    )


def write(directory: Path) -> Path:
    """Write a checkpoint that transformers loads below another one, with links to its weights.

    Args:
        directory: A JinaBERT checkpoint.

    Returns:
        The new directory; as it is, if it is there.
    """
    made = directory / FOLDER
    if made.exists():
        return made
    made.mkdir()
    values = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    values = {name: value for name, value in values.items() if name not in REMOTE}
    values |= {"model_type": MODEL_TYPE, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    (made / CONFIG).write_text(json.dumps(values), encoding="utf-8")
    known = json.loads((directory / TOKENIZER).read_text(encoding="utf-8"))["added_tokens"]
    # Any will do: what it fills is masked.
    names = sorted(
        (token["content"] for token in known), key=lambda name: "pad" not in name.lower()
    )
    described = TOKENIZER_CONFIG | {"pad_token": names[0]}
    (made / "tokenizer_config.json").write_text(json.dumps(described), encoding="utf-8")
    for name in (WEIGHTS, TOKENIZER):
        (made / name).symlink_to((directory / name).resolve())
    return made
