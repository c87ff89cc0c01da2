"""The program `jina-rerank-lab`: each command is a function of a module of its own."""

import importlib
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from jina_rerank.cli import INTERRUPTED, UNAVAILABLE, prepare_streams, until_unread
from jina_rerank.errors import JinaRerankError
from jina_rerank.lines import InputError

from . import terminal

COMMANDS: dict[str, tuple[str, str]] = {
    "evaluate": ("evaluation.command", "Measure rerankers on collections in BEIR's layout."),
    "rag": ("rag.command", "Measure embedders times rerankers as a RAG pipeline uses them."),
    "benchmark": ("benchmark.command", "Measure speed, latency, memory and cost."),
    "report": ("report.command", "Make one HTML page, and pictures, of measured results."),
    "distill": ("distillation.command", "Train a small reranker from larger ones."),
    "export": ("distillation.export", "Turn a training run into a directory for Reranker(...)."),
    "push": ("distillation.push", "Upload an exported model, with its card."),
}
"""The module where each command's function is, which has the command's name, and what it does."""

BAD_INPUT = 1
"""Exit code: some of the input was bad."""

LISTING = "jina_rerank_lab.listing"


class Spread(TyperCommand):
    """A command whose options that may be repeated take several values at once: `--data A B`.

    It has no other arguments, or these options would take them.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further value."""
        if any(parameter.param_type_name == "argument" for parameter in self.params):
            return super().parse_args(ctx, args)
        options = {name: p for p in self.params for name in p.opts}
        spread: list[str] = []
        last = ""
        for word, before in zip(args, ["", *args], strict=False):
            option: Any = options.get(word)
            if word.startswith("-"):
                last = word if option is not None and option.multiple else ""
            elif last and before not in options:
                spread.append(last)
            spread.append(word)
        return super().parse_args(ctx, spread)


class Commands(TyperGroup):
    """The commands, whose modules load when they run: a list of them needs no torch."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click calls it so
        """Name every command."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command by its name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        place, about = COMMANDS[cmd_name]
        single = typer.Typer(add_completion=False)
        if ctx.meta.get(LISTING):
            single.command(help=about)(_nothing)
        else:
            module = importlib.import_module(f".{place}", __package__)
            single.command(cls=Spread)(getattr(module, cmd_name))
        command = get_command(single)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write what there is, without loading any of it."""
        ctx.meta[LISTING] = True
        super().format_help(ctx, formatter)


def _nothing() -> None:
    """Stand for a command in a list."""


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _about() -> None:
    """Measure rerankers, and make small ones by distillation."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands after the program's name; None is what this process was given.

    Returns:
        The exit code: 0 fine, 1 some of the input was bad, 2 wrong usage, 3 something is not
        available, 130 after Ctrl-C, 141 if the reader of standard output went away.
    """
    prepare_streams()
    return until_unread(partial(_run, arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = get_command(app).main(arguments, terminal.PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        terminal.say_usage(error.format_message(), context and context.command_path)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except InputError as error:
        terminal.say(str(error))
        return BAD_INPUT
    except JinaRerankError as error:
        terminal.say(str(error))
        return UNAVAILABLE
    except BrokenPipeError:
        raise
    except OSError as error:
        terminal.say(f"the system refused: {error}")
        return UNAVAILABLE
    return code if isinstance(code, int) else 0
