"""Options that `evaluate` and `rag` have alike."""

from pathlib import Path
from typing import Annotated

import typer

from . import page

Renew = Annotated[
    Path | None,
    typer.Option(
        "--page",
        metavar="FILE",
        help=f"Put the tables on a page, between {page.BEGIN} and {page.END}.",
        show_default=False,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where scores and vectors are kept; else in the user's cache.",
        show_default=False,
    ),
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda, mps; else what there is.")
]
DType = Annotated[str, typer.Option(metavar="NAME", help="auto, float32, bfloat16, ...")]
