"""What tests of the distillation have in common: a small world, its encoder, its data, recipes."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

TOPICS = (
    "mars",
    "sea",
    "bread",
    "rust",
    "moon",
    "salt",
    "milk",
    "gold",
    "rain",
    "fire",
    "wood",
    "iron",
)
OTHERS = ("the", "is", "of", "red", "deep", "planet")
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz.")
WIDTH = 16


def tokenizer() -> Tokenizer:
    """A BERT tokenizer without its pair template, as some encoders come."""
    tokens = [*SPECIALS, *LETTERS, *(f"##{letter}" for letter in LETTERS), *OTHERS, *TOPICS]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    described = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": vocabulary[token], "content": token, "special": True, **flags}
            for token in SPECIALS
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing",
            "sep": ["[SEP]", vocabulary["[SEP]"]],
            "cls": ["[CLS]", vocabulary["[CLS]"]],
        },
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }
    return Tokenizer.from_str(json.dumps(described))


def write_encoder(directory: Path, **changes: Any) -> Path:
    """Write a BERT encoder with random weights, laid out as sentence-transformers does."""
    torch.manual_seed(0)
    made = tokenizer()
    sizes = {
        "vocab_size": made.get_vocab_size(),
        "hidden_size": WIDTH,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 24,
        "max_position_embeddings": 64,
        "initializer_range": 0.3,
    }
    model = BertModel(BertConfig(**{**sizes, **changes}), add_pooling_layer=False)
    for name, parameter in model.named_parameters():
        if "LayerNorm" in name or name.endswith("bias"):
            parameter.data += 0.3 * torch.randn_like(parameter).abs()
    model.save_pretrained(directory)
    made.save(str(directory / "tokenizer.json"))
    types = ("Transformer", "Pooling", "Normalize")
    modules = [{"type": f"sentence_transformers.models.{name}"} for name in types]
    (directory / "modules.json").write_text(json.dumps(modules))
    (directory / "1_Pooling").mkdir()
    pooling = {"pooling_mode_mean_tokens": True}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return directory


def pairs(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Queries of one word, and passages that hold it; other passages do not."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    rows = []
    for i in range(count):
        topic = TOPICS[i % len(TOPICS)]
        rest = [chance.choice([other for other in TOPICS if other != topic]) for _ in range(3)]
        words = [topic, *rest]
        chance.shuffle(words)
        rows.append({"query": topic, "positive": " ".join(words)})
    return rows


def answers(count: int) -> list[dict[str, Any]]:
    """Queries of one word that another word answers; all passages look alike to BM25."""
    chance = random.Random(0)  # noqa: S311 - no secret
    rows = []
    for _ in range(count):
        topic = chance.randrange(len(TOPICS))
        words = [TOPICS[topic - 1], "planet", *chance.choices(OTHERS[:5], k=2)]
        chance.shuffle(words)
        asked = ["planet", TOPICS[topic], *chance.choices(OTHERS[:5], k=2)]
        rows.append({"query": " ".join(asked), "positive": " ".join(words)})
    return rows


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    """Write JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def scratch(source: Path, **more: Any) -> dict[str, Any]:
    """A student's part of a recipe: two small layers with drawn weights."""
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}
    return {
        "init": "scratch",
        "source": str(source),
        **sizes,
        "intermediate_size": 64,
        **more,
    }


def write_recipe(path: Path, **tables: Any) -> Path:
    """Write a recipe; what is not given is small and learns from labels alone."""
    whole = {
        "name": "small",
        "threads": 1,
        "data": {"files": [{"path": "pairs.jsonl"}]},
        "mining": {"bm25": 0, "dense": 0, "random": 5},
        "stages": [
            {
                "kind": "ranking",
                "steps": 3,
                "lists": 4,
                "size": 4,
                "hard": 0,
                "kl": 0.0,
                "contrastive": 1.0,
            }
        ],
        "dev": {"queries": 6, "candidates": 4},
        "output": {"log_steps": 1},
        **tables,
    }
    path.write_text("".join(_toml(whole, ())))
    return path


def _toml(table: dict[str, Any], place: tuple[str, ...]) -> list[str]:
    """Write a table: values first, then the tables in it."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) and not _tables(v)}
    parts = [f"{key} = {_value(value)}\n" for key, value in plain.items()]
    for key, value in table.items():
        name = ".".join((*place, key))
        if isinstance(value, dict):
            parts += [f"\n[{name}]\n", *_toml(value, (*place, key))]
        for one in value if _tables(value) else []:
            parts += [f"\n[[{name}]]\n", *_toml(one, (*place, key))]
    return parts


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _value(value: Any) -> str:
    return json.dumps(value)
