"""A student as files that `Reranker(path)` loads."""

import copy
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer

from jina_rerank.jina_bert import checkpoint

from .start import write_tokenizer
from .student import Student


def save(student: Student, tokenizer: Path, directory: Path) -> None:
    """Write a student in bfloat16, with the published tensor names; what was there is replaced.

    Args:
        student: The student; it is not changed.
        tokenizer: Its tokenizer.json.
        directory: Where to.
    """
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    narrow = copy.deepcopy(student).to("cpu", torch.bfloat16)
    checkpoint.save(narrow, student.config, partial)
    # safetensors lets nobody else read what it writes.
    (partial / "model.safetensors").chmod((partial / "config.json").stat().st_mode)
    context = student.config.max_position_embeddings
    write_tokenizer(Tokenizer.from_file(str(tokenizer)), partial, context)
    old = _old(directory)
    if directory.exists():
        shutil.rmtree(old, ignore_errors=True)
        directory.rename(old)
    partial.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def recover(directory: Path) -> None:
    """Bring back what was there before a `save` that was killed between its two renames."""
    old = _old(directory)
    if old.exists() and not directory.exists():
        old.rename(directory)


def _old(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.old")
