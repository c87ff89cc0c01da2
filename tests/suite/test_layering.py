"""The arrows between packages, checked on the import statements of every one of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

import jina_rerank

from .packages import ADAPTERS, CORE, PACKAGES, Package, private, read, sideways, undeclared

PUBLIC = frozenset(jina_rerank.__all__)
Make = Callable[[str], Package]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_imports_only_what_it_declares(package: Package) -> None:
    assert undeclared(package) == []


def test_adapters_import_only_public_names_of_the_core() -> None:
    assert {adapter.name: private(adapter, PUBLIC) for adapter in ADAPTERS} == {
        adapter.name: [] for adapter in ADAPTERS
    }


def test_adapters_do_not_know_each_other() -> None:
    assert {adapter.name: sideways(adapter, ADAPTERS) for adapter in ADAPTERS} == {
        adapter.name: [] for adapter in ADAPTERS
    }


def test_core_imports_no_other_package_of_the_suite() -> None:
    (core,) = (package for package in PACKAGES if package.module == CORE)
    assert sideways(core, PACKAGES) == []


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a package of a framework that does not exist, with the given source."""

    def make(source: str) -> Package:
        folder = tmp_path / "src" / "framework" / "rankers" / "jina_rerank"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(source)
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "framework-jina-rerank"\n'
            'dependencies = ["jina-rerank>=0.1", "Frame.Work>=1"]'
        )
        return read(tmp_path)

    return make


PROVIDERS = {"framework": ["frame-work", "framework-jina-rerank"], CORE: ["jina-rerank"]}


def test_module_of_a_namespace_package_is_found(make: Make) -> None:
    assert make("").module == "framework.rankers.jina_rerank"


def test_declared_imports_are_accepted(make: Make) -> None:
    source = "import json\nimport framework.core\nfrom jina_rerank import Reranker\nfrom . import x"
    assert undeclared(make(source), PROVIDERS) == []


def test_undeclared_import_is_noticed_also_inside_a_function(make: Make) -> None:
    package = make("def f():\n    import torch.nn\n")
    assert undeclared(package, {"torch": ["torch"], **PROVIDERS}) == ["__init__.py: torch.nn"]


@pytest.mark.parametrize(
    "line",
    [
        "import jina_rerank",
        "from jina_rerank import Reranker, Ranking",
        "from jina_rerank.testing import FakeBackend",
        "from jina_rerank import testing",
        "from jina_rerank.wire.tei import encode",
    ],
)
def test_public_names_of_the_core_are_accepted(make: Make, line: str) -> None:
    assert private(make(line), PUBLIC) == []


@pytest.mark.parametrize(
    "line",
    [
        "import jina_rerank.settings",
        "from jina_rerank.settings import Settings",
        "from jina_rerank import settings",
        "from jina_rerank.backends.local import LocalBackend",
    ],
)
def test_private_names_of_the_core_are_noticed(make: Make, line: str) -> None:
    assert len(private(make(line), PUBLIC)) == 1


@pytest.mark.parametrize("line", ["import jina_rerank", "from jina_rerank import Reranker"])
def test_import_of_another_package_is_noticed(make: Make, line: str) -> None:
    assert sideways(make(line), PACKAGES) == [f"__init__.py: {CORE}"]
