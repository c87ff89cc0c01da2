"""From a recipe to what a run needs: data without test collections, negatives, teachers' scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jina_rerank.lines import InputError

from ..collections import read
from . import dev, mining, pairs, teachers
from .blocks import Blocks
from .dev import Question
from .guard import Guard, normal
from .pairs import Example, Pool
from .recipe import Recipe
from .sampling import Source
from .vectors import Models

HELD = 0.1
"""The share of a file's queries that may be held out at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is the same for all stages.

    Attributes:
        examples: Those of each file, what is shared with test collections left out.
        dropped: How many of each file were left out.
        pools: These examples laid out, with passages of the recipe's own length.
        held: The rows of each file that nothing is learnt from: those of `questions`, and those
            that share a query or a positive with one of them, in whatever file.
        questions: What checkpoints are measured by.
    """

    examples: list[list[Example]]
    dropped: list[int]
    pools: list[Pool]
    held: list[list[int]]
    questions: list[Question]


def prepare(recipe: Recipe, folder: Path, say: Callable[[str], object]) -> Prepared:
    """Read the data.

    Args:
        recipe: The recipe.
        folder: What its paths are relative to.
        say: Is told what was dropped.

    Raises:
        InputError: A file or a collection cannot be used, or nothing is left.
    """
    guard = Guard(read(folder / name) for name in recipe.data.exclude)
    examples, dropped = [], []
    for part in recipe.data.files:
        found = pairs.examples(folder / part.path, part, recipe.seed)
        kept = [example for example in found if not guard.refuses(example)]
        name = pairs.short_name(part.path)
        if not kept:
            msg = f"nothing of {part.path!r} is left: all of it is in the excluded collections"
            raise InputError(msg)
        dropped.append(len(found) - len(kept))
        lost = f", {dropped[-1]:,} dropped" if dropped[-1] else ""
        say(f"{name}: {len(kept):,} queries{lost}")
        examples.append(kept)
    asked = _asked(recipe, examples)
    held = _shared(examples, asked)
    pools = layouts(recipe, examples, None)
    if recipe.dev.collection is not None:
        questions = dev.of_collection(read(folder / recipe.dev.collection), recipe.dev)
    else:
        questions = [
            question
            for pool, rows in zip(pools, asked, strict=True)
            for question in dev.of_pool(pool, rows, recipe.dev.candidates)
        ]
    if not questions:
        msg = "no query can be held out: give [dev] a collection, or more data with positives"
        raise InputError(msg)
    say(f"{sum(map(len, held)):,} queries held out, for {len(questions):,} that are measured")
    return Prepared(examples=examples, dropped=dropped, pools=pools, held=held, questions=questions)


def layouts(
    recipe: Recipe, examples: Sequence[Sequence[Example]], max_words: int | None
) -> list[Pool]:
    """Lay out every file with passages of some length; None is the recipe's own."""
    pools = []
    for part, own in zip(recipe.data.files, examples, strict=True):
        chosen = (max_words, part.max_words, recipe.data.max_words)
        words = next((one for one in chosen if one is not None), None)
        pools.append(pairs.pool(pairs.short_name(part.path), own, words, seed=recipe.seed))
    return pools


def sources(
    recipe: Recipe, prepared: Prepared, pools: Sequence[Pool], models: Models, blocks: Blocks
) -> list[Source]:
    """Find negatives for every query, and have the teachers score them.

    Raises:
        InputError: No query has any.
        JinaRerankError: A teacher fails; what was computed before is kept.
    """
    found = []
    before = [part for part in recipe.teachers if not part.live]
    parts = zip(recipe.data.files, pools, prepared.held, strict=True)
    for part, pool, held in parts:
        if part.weight == 0:
            continue
        vectors = models.find(recipe.mining.embedder)
        lists = mining.mine(pool, recipe.mining, recipe.seed, vectors, blocks)
        scores = teachers.scores(lists, before, models, blocks) if before else None
        rows = np.setdiff1d(np.arange(len(pool.queries)), np.array(held, np.intp))
        # A list of one passage teaches nothing.
        rows = rows[(lists.places[rows] != mining.NONE).sum(1) > 1]
        if len(rows):
            found.append(Source(lists, scores, rows, part.weight))
    if not found and all(
        len(own) == len(held) for own, held in zip(prepared.examples, prepared.held, strict=True)
    ):
        msg = "every query shares a text with one held out: lower [dev] queries, or give more data"
        raise InputError(msg)
    if not found:
        msg = "no query has a negative: give [mining] more, or the files more passages"
        raise InputError(msg)
    return found


def _asked(recipe: Recipe, examples: Sequence[Sequence[Example]]) -> list[list[int]]:
    """Choose queries of every file to measure by, the same number of each if it has them."""
    if recipe.dev.collection is not None:
        return [[] for _ in examples]
    share = -(-recipe.dev.queries // len(examples))
    asked = []
    for i, own in enumerate(examples):
        count = min(share, int(HELD * len(own)))
        chosen = pairs.rng(recipe.seed, "held", i).choice(len(own), count, replace=False)
        asked.append(sorted(chosen.tolist()))
    return asked


def _shared(
    examples: Sequence[Sequence[Example]], asked: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Find the rows that share a query or a positive with those that are asked, and these.

    Many files ask of a passage more than once, or have the same question twice.
    """
    known: set[str] = set()
    for own, rows in zip(examples, asked, strict=True):
        known.update(*(_texts(own[row]) for row in rows))
    return [[i for i, one in enumerate(own) if known & _texts(one)] for own in examples]


def _texts(example: Example) -> set[str]:
    texts = (example.query, example.positive)
    return {normal(text) or text for text in texts if text is not None}
