"""The student before the first step: a shape, a tokenizer, and what it knows already."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn

from jina_rerank.errors import CheckpointError
from jina_rerank.hub import locate
from jina_rerank.jina_bert import checkpoint
from jina_rerank.jina_bert.config import JinaBertConfig, read_config
from jina_rerank.jina_bert.tokenizer import read_tokenizer
from jina_rerank.lines import InputError
from jina_rerank.settings import Settings

from . import vocabulary, warm
from .pairs import Pool, rng, texts
from .recipe import StudentPart
from .student import Student
from .vectors import Models, source


def start(
    part: StudentPart, seed: int, pools: Sequence[Pool], models: Models
) -> tuple[Student, Tokenizer]:
    """Make the student that a recipe describes.

    Args:
        part: The recipe's description.
        seed: What drawn weights depend on.
        pools: The training data: what a smaller vocabulary is for, and sample text.
        models: Where a warm start finds its encoder.

    Raises:
        CheckpointError: The source is of the wrong kind, or has no such layer.
        ModelNotFoundError: There is no such source.
        InputError: The vocabulary is too small, or a size does not go with the source.
    """
    torch.manual_seed(seed)
    if part.init == "layers":
        return _layers(part, pools)
    if part.init == "scratch":
        files = source(part.source)
        tokenizer, tokens = _pruned(read_tokenizer(files.file("tokenizer.json")), part, pools)
        return _drawn(part.config(len(tokens))), tokenizer
    encoder = models.find(part.source).load()
    theirs = encoder.model.config
    _check_layers(part, theirs.num_hidden_layers)
    tokenizer, tokens = _pruned(encoder.tokenizer, part, pools)
    student = _drawn(part.config(len(tokens), theirs))
    warm.start(student, encoder, part.layers, tokens, _sample(pools, part.sample, seed))
    return student, tokenizer


def _layers(part: StudentPart, pools: Sequence[Pool]) -> tuple[Student, Tokenizer]:
    """Take layers of a larger JinaBERT, and all that is around them."""
    files = locate(Settings(model=part.source))
    theirs = JinaBertConfig.of(read_config(files.file("config.json")), repr(part.source))
    _check_layers(part, theirs.num_hidden_layers)
    if part.intermediate_size not in {None, theirs.intermediate_size}:
        msg = f"init 'layers' keeps the intermediate_size of its source, {theirs.intermediate_size}"
        raise InputError(msg)
    larger = checkpoint.load(
        files.file("model.safetensors"),
        theirs,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    tokenizer, tokens = _pruned(read_tokenizer(files.file("tokenizer.json")), part, pools)
    student = _drawn(replace(theirs, vocab_size=len(tokens), num_hidden_layers=part.depth))
    with torch.no_grad():
        student.words.weight.copy_(larger.words.weight[tokens])
    for name in ("types", "norm", "pooler", "classifier"):
        student.get_submodule(name).load_state_dict(larger.get_submodule(name).state_dict())
    for own, chosen in zip(student.layers, part.layers, strict=True):
        own.load_state_dict(larger.layers[chosen].state_dict())
    return student, tokenizer


def _drawn(config: JinaBertConfig) -> Student:
    """Draw all weights, so that products of a layer's input have about its size."""
    student = Student(config)
    deviation = config.hidden_size**-0.5
    for module in student.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=deviation)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return student


def _pruned(
    tokenizer: Tokenizer, part: StudentPart, pools: Sequence[Pool]
) -> tuple[Tokenizer, list[int]]:
    """Return the student's tokenizer, and the source's id of each of its tokens."""
    if part.vocabulary is not None:
        return vocabulary.prune(tokenizer, texts(pools), part.vocabulary)
    return vocabulary.whole(tokenizer)


def _check_layers(part: StudentPart, layers: int) -> None:
    if max(part.layers) >= layers:
        msg = f"{part.source!r} has layers 0 to {layers - 1}, but layers names {max(part.layers)}"
        raise CheckpointError(msg)


def _sample(pools: Sequence[Pool], size: int, seed: int) -> list[str]:
    """Draw passages of every pool."""
    places = rng(seed, "sample").integers(1 << 30, size=size).tolist()
    drawn = [one.passages[place % len(one.passages)] for place in places for one in pools]
    return drawn[:size]


def write_tokenizer(tokenizer: Tokenizer, directory: Path, context: int) -> None:
    """Write tokenizer.json, and what transformers wants to know beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context}
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    known = tokenizer.get_vocab()
    told |= {f"{kind}_token": name for kind, name in names.items() if name in known}
    text = json.dumps(told, indent=1) + "\n"
    (directory / "tokenizer_config.json").write_text(text, encoding="utf-8")
