"""Commands that other distributions add to `jina-rerank`, through entry points."""

import importlib.metadata
import signal
from importlib.metadata import EntryPoint
from types import FunctionType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .errors import JinaRerankError

GROUP = "jina_rerank.commands"
"""The entry point group: the name is the command's, the object a `typer.Typer` or a function."""


class Commands(TyperGroup):
    """The built-in commands, and those of other distributions, which are loaded when needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name every command, the built-in ones first."""
        built_in = super().list_commands(ctx)
        return [*built_in, *sorted(_plugins().keys() - set(built_in))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command by its name; None if there is none."""
        command = super().get_command(ctx, cmd_name)
        if command is None and (entry := _plugins().get(cmd_name)) is not None:
            command = _command(entry)
            command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> None:
        """Run a command; what it returns is no exit code."""
        super().invoke(ctx)


def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}


def _command(entry: EntryPoint) -> Any:
    """Load another distribution's command; if that fails, only running it is an error."""
    if callable(signal.getsignal(signal.SIGINT)):  # Ctrl-C is theirs to handle
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return get_command(_typer(entry.load()))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other commands have to work
        reason = f"{type(error).__name__}: {error}"
        return get_command(_broken(f"{entry.name!r} ({entry.value}) cannot be loaded: {reason}"))


def _typer(value: object) -> typer.Typer:
    """Turn a function into an app; its signature is the command line."""
    if isinstance(value, typer.Typer):
        return value
    if not isinstance(value, FunctionType):
        msg = f"it must be a typer.Typer or a function, not {type(value).__name__}"
        raise TypeError(msg)
    single = typer.Typer(add_completion=False)
    single.command()(value)
    return single


def _broken(reason: str) -> typer.Typer:
    """Make a command that takes any arguments and only says why it cannot work."""
    single = typer.Typer(add_completion=False)
    anything = {"ignore_unknown_options": True, "allow_extra_args": True}

    @single.command(help="Cannot be loaded.", add_help_option=False, context_settings=anything)
    def fail() -> None:
        msg = f"the command {reason}; reinstall or uninstall the package that it comes from"
        raise JinaRerankError(msg)

    return single
