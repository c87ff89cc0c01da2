"""The arrows of the design, checked on the import statements; and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "shared" / "jina-rerank" / "src" / "jina_rerank"
HEAVY = {"torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "numpy", "tqdm"}
HEAVY |= {
    "asyncio",
    "httpx2",
    "httpx",
    "requests",
    "urllib3",
    "aiohttp",
    "boto3",
    "typer",
    "rich",
    "pydantic",
}

BELOW = {
    "errors": set(),
    "types": set(),
    "models": set(),
    "backends.base": {"types"},
    "address": set(),
    "settings": {"address", "backends.base", "models"},
    "jobs": {"backends.base", "errors", "settings", "types"},
    "cache": {"backends.base", "jobs", "types"},
    "reranker": {"backends.base", "cache", "errors", "jobs", "models", "settings", "types"},
    "hub": {"errors", "models", "settings"},
    "hardware": {"errors"},
    "checkpoint": {"cross_encoder", "hub", "jina_bert", "settings"},
    "progress": {"errors"},
    "wire.__init__": set(),
    "wire.values": {"errors", "types"},
    "wire.quote": set(),
    "wire.fields": {"errors", "types", "wire.values"},
    "wire.failure": {"errors", "wire.fields", "wire.quote", "wire.values"},
    "wire.jina": {"wire.fields", "wire.values"},
    "wire.cohere": {"wire.fields", "wire.values"},
    "wire.tei": {"wire.fields", "wire.values"},
    "wire.sagemaker": {"errors", "wire.fields", "wire.values"},
    "wire.split": set(),
    "http.__init__": set(),
    "http.clock": set(),
    "http.slots": set(),
    "http.retry": {"errors"},
    "http.pace": {"http.retry"},
    "http.tries": {"errors", "http.clock", "http.pace", "http.retry"},
    "http.waits": {"http.clock"},
    "http.routes": {"address", "errors", "wire.values"},
    "http.credentials": {"address", "errors", "wire.failure"},
    "http.connections": {"errors"},
    "http.client": {
        "errors",
        "http.clock",
        "http.connections",
        "http.pace",
        "http.retry",
        "http.slots",
        "http.tries",
        "http.waits",
        "types",
        "wire.quote",
        "wire.values",
    },
    "http.aws": {"http.aws_failure", "settings", "wire.values"},
    "http.aws_failure": {"errors", "settings", "wire.failure", "wire.quote", "wire.values"},
    "backends.sagemaker": {
        "backends.base",
        "errors",
        "http",
        "models",
        "progress",
        "settings",
        "types",
        "wire",
    },
    "backends.api": {
        "address",
        "backends.base",
        "http",
        "models",
        "progress",
        "settings",
        "types",
        "wire",
    },
    "backends.local": {
        "backends.base",
        "checkpoint",
        "hub",
        "jina_bert",
        "progress",
        "settings",
        "types",
    },
}
"""What each module may import of its own package: only what stands below it."""


def imports(path: Path) -> set[str]:
    """Name what a module imports: other modules of the package, and foreign packages."""
    package = [*path.relative_to(SOURCE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) + 1 - node.level], *(node.module or "").split(".")]
            found.add("." + ".".join(filter(None, base)))
    return found


@pytest.mark.parametrize("module", BELOW)
def test_module_imports_only_what_stands_below(module: str) -> None:
    path = SOURCE.joinpath(*module.split(".")).with_suffix(".py")
    own = {name[1:] for name in imports(path) if name.startswith(".")}
    folder = module.rpartition(".")[0]
    above = {name for name in own if not {name, name.split(".")[0]} & BELOW[module]} - {folder}
    assert above == set()


@pytest.mark.parametrize("path", sorted((SOURCE / "jina_bert").glob("*.py")), ids=lambda p: p.stem)
def test_model_knows_no_backend(path: Path) -> None:
    own = {name[1:] for name in imports(path) if name.startswith(".")}
    allowed = {"errors", "hardware", "settings"}
    assert {name for name in own if not name.startswith("jina_bert")} <= allowed


@pytest.mark.parametrize(
    "path", sorted((SOURCE / "cross_encoder").glob("*.py")), ids=lambda p: p.stem
)
def test_other_models_share_what_feeds_jina_bert(path: Path) -> None:
    own = {name[1:] for name in imports(path) if name.startswith(".")}
    shared = {"jina_bert.checkpoint", "jina_bert.fit", "jina_bert.tokenizer"}
    allowed = {"errors", "hardware", "hub", "settings"} | shared
    assert {name for name in own if not name.startswith("cross_encoder")} <= allowed


def test_backends_do_not_know_each_other() -> None:
    names = {path.stem for path in (SOURCE / "backends").glob("*.py")} - {"__init__", "base"}
    for name in names:
        own = imports(SOURCE / "backends" / f"{name}.py")
        assert {n for n in own if n.startswith(".backends")} <= {".backends.base", ".backends"}


def test_every_module_is_in_the_table_or_in_a_layer_of_its_own() -> None:
    entry = {"__init__", "backends.__init__"}
    command_line = {"cli", "commands", "files", "lines", "output", "plugins", "scoring", "tasks"}
    command_line |= {"terminal", "trec"}
    modules = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")
    }
    of_their_own = ("jina_bert.", "cross_encoder.", "testing.")
    assert {name for name in modules if not name.startswith(of_their_own)} - {
        *BELOW,
        *entry,
        *command_line,
    } == set()


@pytest.mark.parametrize(
    "module", ["jina_rerank", "jina_rerank.hub", "jina_rerank.cache", "jina_rerank.wire"]
)
def test_import_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {name.split(".")[0] for name in done.stdout.split()} & HEAVY == set()
