"""`jina-rerank-lab push`: an exported model to the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer

from jina_rerank.errors import JinaRerankError
from jina_rerank.lines import InputError

from .. import terminal
from .card import CARD

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", CARD)
"""What is uploaded."""


def push(
    model: Annotated[
        Path, typer.Argument(help="A directory that export made.", show_default=False)
    ],
    repository: Annotated[str, typer.Argument(help="Such as me/my-reranker.", show_default=False)],
    *,
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public.")] = False,
) -> None:
    """Upload an exported model, with its card.

    Log in first: hf auth login. A new repository is private unless --public is given.
    """
    missing = [name for name in FILES if not (model / name).is_file()]
    if missing:
        msg = (
            f"{str(model)!r} has no {', '.join(missing)}; make the directory with "
            f"jina-rerank-lab export when the run is over"
        )
        raise InputError(msg)
    import huggingface_hub as hub  # noqa: PLC0415 - slow, and only for this
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    try:
        hub.create_repo(repository, private=not public, exist_ok=True)
        hub.upload_folder(
            repo_id=repository,
            folder_path=model,
            allow_patterns=list(FILES),
            commit_message="Upload a reranker made by jina-rerank-lab",
        )
    except HFValidationError as error:
        raise InputError(str(error)) from error
    except (HfHubHTTPError, OSError) as error:
        reason = " ".join(str(error).split())
        msg = f"{repository!r} was not uploaded: {reason}; is the login right (hf auth login)?"
        raise JinaRerankError(msg) from error
    terminal.say(f"uploaded to {repository}")
