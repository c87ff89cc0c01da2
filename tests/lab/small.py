"""A JinaBERT checkpoint of a few thousand weights, which every contender can run."""

from pathlib import Path
from typing import Any

from jina_rerank_lab.benchmark import checkpoints, wordpiece
from tokenizers import Tokenizer

WORDS = ["red", "planet", "bread", "yeast", "water", "stone", "light", "green", "river", "cloud"]
CONFIG: dict[str, Any] = {
    **checkpoints.TINY,
    "hidden_size": 24,
    "intermediate_size": 16,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "vocab_size": 200,
}


def tokenizer() -> Tokenizer:
    return wordpiece.build(WORDS, size=CONFIG["vocab_size"])


def write(directory: Path) -> Path:
    state = checkpoints.draw(checkpoints.shapes(CONFIG))
    checkpoints.save(directory, CONFIG, state, tokenizer())
    return directory
