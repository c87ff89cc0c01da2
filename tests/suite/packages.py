"""What the packages of the suite are, and the rules that their imports follow."""

import ast
import importlib.metadata
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CORE = "jina_rerank"
PUBLIC_MODULES = (CORE, f"{CORE}.testing", f"{CORE}.wire")
"""What other packages may import from; below `wire` everything is public."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """One folder of shared/ or packages/.

    Attributes:
        path: The folder.
        name: The distribution's name.
        module: What is imported, such as ``"llama_index.postprocessor.jina_rerank"``.
        declares: The names of all its dependencies, extras included.
        scripts: Whether it installs programs or other entry points.
    """

    path: Path
    name: str
    module: str
    declares: frozenset[str]
    scripts: bool

    @property
    def source(self) -> Path:
        """The folder of the module."""
        return self.path.joinpath("src", *self.module.split("."))

    def imports(self) -> Iterator[tuple[Path, str, str | None]]:
        """Yield each absolute import: the file, the module, and the name taken from it."""
        for path in sorted(self.source.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((path, alias.name, None) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    yield from ((path, node.module or "", alias.name) for alias in node.names)


def read(path: Path) -> Package:
    """Read a package's folder."""
    table: dict[str, Any] = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))
    project = table["project"]
    groups = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    inits = sorted(path.glob("src/**/__init__.py"), key=lambda init: len(init.parts))
    return Package(
        path=path,
        name=project["name"],
        module=".".join(inits[0].parent.relative_to(path / "src").parts),
        declares=frozenset(
            canonicalize_name(Requirement(text).name) for group in groups for text in group
        ),
        scripts=bool(project.keys() & {"scripts", "entry-points", "gui-scripts"}),
    )


PACKAGES = [read(path.parent) for path in sorted(ROOT.glob("*/*/pyproject.toml"))]
ADAPTERS = [package for package in PACKAGES if package.path.parent.name == "packages"]


def undeclared(package: Package, providers: Mapping[str, list[str]] | None = None) -> list[str]:
    """Name what a package imports without declaring it.

    Args:
        package: Whose imports.
        providers: The distributions of each importable name; None asks the environment.
    """
    if providers is None:
        providers = _providers()
    found = []
    for path, module, _ in package.imports():
        top = module.split(".")[0]
        known = top in sys.stdlib_module_names or _inside(module, package.module)
        owners = {canonicalize_name(name) for name in providers.get(top, [])}
        if not known and not owners & package.declares:
            found.append(f"{path.name}: {module}")
    return found


def _providers() -> dict[str, list[str]]:
    """Ask the environment, which does not know what packages installed as editable hold."""
    found = {
        name: list(owners) for name, owners in importlib.metadata.packages_distributions().items()
    }
    for package in PACKAGES:
        found.setdefault(package.module.split(".")[0], []).append(package.name)
    return found


def private(package: Package, public: frozenset[str]) -> list[str]:
    """Name what a package imports of the core that is not public."""
    found = []
    for path, module, name in package.imports():
        if not _inside(module, CORE):
            continue
        module_is_public = module in PUBLIC_MODULES or _inside(module, f"{CORE}.wire")
        submodule = f"{module}.{name}" in PUBLIC_MODULES
        if not module_is_public or (
            module == CORE and name not in {None, *public} and not submodule
        ):
            found.append(f"{path.name}: {module}.{name}" if name else f"{path.name}: {module}")
    return found


def sideways(package: Package, others: list[Package]) -> list[str]:
    """Name what a package imports of other packages that it should not know."""
    return [
        f"{path.name}: {module}"
        for path, module, name in package.imports()
        for other in others
        if other != package
        and (_inside(module, other.module) or _inside(f"{module}.{name}", other.module))
    ]


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
