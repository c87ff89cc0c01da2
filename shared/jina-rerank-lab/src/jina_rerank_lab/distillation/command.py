"""`jina-rerank-lab distill`: from a recipe to a model."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .. import results, terminal
from . import card
from .recipe import Recipe
from .training import BEST, LAST, RESULT, Place, Run

DATA = "JINA_RERANK_DATA"
"""The environment variable that names the folder of the data."""


def distill(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The folder of the run; an earlier run there goes on."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="What the recipe's paths are relative to; else the folder of the recipe.",
            envvar=DATA,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Where negatives and teachers' scores are kept; else in the output."),
    ] = None,
    *,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget an earlier run in the same folder.")
    ] = False,
) -> None:
    """Train a small reranker from larger ones.

    Prints a line of losses and speed now and then, and writes them to log.jsonl in the output. A
    run that is stopped, however that is, goes on from its last checkpoint with the same command.
    """
    read = Recipe.read(recipe)
    place = Place(
        data=recipe.resolve().parent if data is None else data,
        output=output,
        cache=output / "cache" if cache is None else cache,
        say=terminal.say,
    )
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    run = Run(read, place, restart=restart)
    run.run()
    told = run.described(recipe.read_text(encoding="utf-8"))
    results.write(output / RESULT, "distillation", told)
    for name in (BEST, LAST):
        card.write(output / name, told)
    terminal.say(f"done: nDCG@10 {run.progress.best:.3f} at its best, in {output / BEST}")
