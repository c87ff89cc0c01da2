"""The program `jina-rerank-lab`: each command is a function of a module of its own."""

import importlib
from collections.abc import Sequence

import typer

COMMANDS: dict[str, str] = {
    "evaluate": "evaluation.command",
    "rag": "rag.command",
    "benchmark": "benchmark.command",
    "report": "report.command",
    "distill": "distillation.command",
    "export": "distillation.export",
    "push": "distillation.push",
}
"""Where each command's function, which has the command's name, is."""
