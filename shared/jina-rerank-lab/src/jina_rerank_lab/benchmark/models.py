"""What is measured: checkpoints of random weights in a published shape, and checkpoints as they are.

Random weights run at the speed of the real ones and cost no download; only their scores mean
nothing.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from tokenizers import Tokenizer

from jina_rerank.hub import locate
from jina_rerank.jina_bert.config import is_jina_bert
from jina_rerank.jina_bert.tokenizer import read_tokenizer
from jina_rerank.settings import Settings

from . import checkpoints, others, wordpiece
from .checkpoints import CONFIG, TOKENIZER, WEIGHTS
from .workloads import vocabulary_words

OWN_VOCABULARY = ("base", *others.CONFIGS)
"""Shapes that always get the WordPiece tokenizer: turbo's and tiny's has more ids than rows."""

SHAPES = (*checkpoints.CONFIGS, *others.CONFIGS)
"""Names of shapes; anything else is a model that exists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A checkpoint that is ready to be measured.

    Attributes:
        name: As it was asked for.
        directory: Where it is; other files may be written below it.
        tokenizer: Its tokenizer.
        words: What texts for it are made of.
        context: The longest input in tokens.
        parameters: How many numbers the weights are.
        file: Bytes of the stored weights.
        random: True if the weights are.
        jina_bert: False for any other architecture, which fewer contenders run.
    """

    name: str
    directory: Path
    tokenizer: Tokenizer
    words: Sequence[str]
    context: int
    parameters: int
    file: int
    random: bool
    jina_bert: bool


class Models:
    """Makes and finds checkpoints, each once.

    Args:
        folder: Where they go.
        tokenizer: turbo's and tiny's; None takes one of made-up words.
        say: Told what happens.
    """

    def __init__(
        self, folder: Path, *, tokenizer: Tokenizer | None, say: Callable[[str], None]
    ) -> None:
        words = vocabulary_words(tokenizer) if tokenizer else wordpiece.invented_words()
        self._wordpiece = wordpiece.build(words)
        self._words = vocabulary_words(self._wordpiece)
        self._tokenizer = tokenizer or self._wordpiece
        self._folder = folder
        self._say = say
        self._made: dict[str, Model] = {}

    def get(self, name: str) -> Model:
        """Return a model.

        Args:
            name: One of `SHAPES`, or what `Reranker` loads: `nano`, a directory, a hub id.

        Raises:
            CheckpointError: It is no checkpoint.
            ModelNotFoundError: It cannot be had.
        """
        if name not in self._made:
            directory = self._folder / str(len(self._made))
            if name in SHAPES:
                self._say(f"random weights in the shape of {name}")
                self._write(name, directory)
            else:
                link(name, directory)
            self._made[name] = self._read(name, directory)
        return self._made[name]

    def _write(self, name: str, directory: Path) -> None:
        tokenizer = self._wordpiece if name in OWN_VOCABULARY else self._tokenizer
        write = checkpoints.write if name in checkpoints.CONFIGS else others.write
        write(directory, model=name, tokenizer=tokenizer)

    def _read(self, name: str, directory: Path) -> Model:
        config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        tokenizer = read_tokenizer(directory / TOKENIZER)
        jina_bert = is_jina_bert(config)
        context = config.get("max_position_embeddings", others.CONTEXT)
        return Model(
            name=name,
            directory=directory,
            tokenizer=tokenizer,
            words=self._words if name in SHAPES else vocabulary_words(tokenizer),
            context=context if jina_bert else min(context, others.CONTEXT),
            parameters=count(directory / WEIGHTS),
            file=(directory / WEIGHTS).stat().st_size,
            random=name in SHAPES,
            jina_bert=jina_bert,
        )


def link(name: str, directory: Path) -> None:
    """Link the files of a model that exists into a directory of ours; raises as `Models.get`."""
    source = locate(Settings(model=name))
    files = {file: source.file(file) for file in (CONFIG, TOKENIZER, WEIGHTS)}
    directory.mkdir(parents=True)
    for file, path in files.items():
        (directory / file).symlink_to(path.resolve())


def count(weights: Path) -> int:
    """Count the parameters of a safetensors file without reading them."""
    with safe_open(weights, framework="pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 - no mapping
    return sum(map(math.prod, shapes))
