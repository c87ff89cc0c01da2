"""`jina-rerank-lab export`: a trained student as a directory for `Reranker(path)`."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from jina_rerank import Reranker
from jina_rerank.lines import InputError

from .. import results, terminal
from . import card
from .training import BEST, LAST, RESULT


def export(
    run: Annotated[Path, typer.Argument(help="The output folder of distill.", show_default=False)],
    model: Annotated[Path, typer.Argument(help="The directory to make.", show_default=False)],
    *,
    last: Annotated[
        bool, typer.Option("--last", help="Take the last student, not the one that was best.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is in the directory.")
    ] = False,
) -> None:
    """Turn a training run into a directory for Reranker(...).

    It holds the weights in bfloat16 under the published tensor names, the tokenizer, and the model
    card once the run is over.
    """
    source = run / (LAST if last else BEST)
    if not source.is_dir():
        what = "has not come to its end" if last else "has measured nothing yet"
        msg = f"{str(run)!r} {what}: let jina-rerank-lab distill go on with it"
        raise InputError(msg)
    if model.exists() and not force:
        msg = (
            f"{str(model)!r} is there already: choose another directory, or replace it with --force"
        )
        raise InputError(msg)
    partial = model.with_name(f".{model.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    if (run / RESULT).is_file():
        card.write(partial, results.read(run / RESULT, "distillation"))
    with Reranker(str(partial)) as reranker:
        reranker.score("Does it load?", ["It does."])
    shutil.rmtree(model, ignore_errors=True)
    partial.replace(model)
    size = sum(path.stat().st_size for path in model.iterdir())
    terminal.say(f"wrote {model}, {size / 1e6:.1f} MB")
