"""Write the public API down as text: what `public_api.txt` holds.

    python -m tests.core.describe > tests/core/public_api.txt

The text is made of the sources, so that it reads as they do and is the same for every Python.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

MODULES = ("jina_rerank", "jina_rerank.testing")
WIDTH = 100
OPERATORS = ("__init__", "__getitem__", "__len__", "__iter__", "__enter__", "__aenter__")


def describe() -> str:
    """Describe every public name of every public module."""
    modules = map(importlib.import_module, MODULES)
    return "\n".join(line for module in modules for line in _module(module))


def _module(module: ModuleType) -> Iterator[str]:
    yield f"# {module.__name__}\n"
    tree = ast.parse(inspect.getsource(module))
    own = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    public = getattr(module, "__all__", [name for name in own if not name.startswith("_")])
    for name in public:
        yield from _name(name, getattr(module, name))
        yield ""


def _name(name: str, value: Any) -> Iterator[str]:
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        yield f"{name}: a value"
        return
    (node,) = ast.parse(inspect.getsource(value)).body
    yield from _class(node) if isinstance(node, ast.ClassDef) else _function(node, "")


def _class(node: ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        yield f"@{ast.unparse(decorator)}"
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    yield f"class {node.name}{bases}"
    for member in node.body:
        public = not getattr(member, "name", "_").startswith("_")
        if isinstance(member, ast.AnnAssign):
            yield f"    {ast.unparse(member)}"
        elif isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and (
            public or member.name in OPERATORS
        ):
            yield from _function(member, "    ")


def _function(node: Any, indent: str) -> Iterator[str]:
    """Describe a function on one line, or a parameter a line where that is too long."""
    for decorator in node.decorator_list:
        yield f"{indent}@{ast.unparse(decorator)}"
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{indent}{kind} {node.name}({ast.unparse(node.args)}){returns}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{indent}{kind} {node.name}("
    yield from (f"{indent}    {parameter}," for parameter in _parameters(node.args))
    yield f"{indent}){returns}"


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    """Split a signature into its parameters."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(positional, defaults, strict=True):
        yield _parameter(argument, default)
    if arguments.vararg is not None:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if arguments.kwarg is not None:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    text = ast.unparse(argument)
    if default is None:
        return text
    return (
        f"{text} = {ast.unparse(default)}"
        if argument.annotation
        else f"{text}={ast.unparse(default)}"
    )


if __name__ == "__main__":
    print(describe())  # noqa: T201 - a program: it prints
