"""What a user installs: the wheel of each package, built by way of its source archive."""

import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.metadata import Metadata

import jina_rerank

from .packages import PACKAGES, Package


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda package: package.name)
def package(request: pytest.FixtureRequest) -> Package:
    found: Package = request.param
    return found


@pytest.fixture(scope="module")
def wheel(package: Package, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Build a package as a release does; return the wheel's files."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*build, str(package.path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("*.tar.gz"))) == 1
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def info(wheel: dict[str, bytes], name: str) -> bytes:
    """Return a file of the wheel's dist-info folder."""
    (found,) = (path for path in wheel if path.partition("/")[2] == name and ".dist-info/" in path)
    return wheel[found]


def test_wheel_holds_the_sources_and_nothing_else(
    package: Package, wheel: dict[str, bytes]
) -> None:
    source = package.path / "src"
    files = [
        path for path in source.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    ]
    assert {name for name in wheel if ".dist-info/" not in name} == {
        str(path.relative_to(source)) for path in files
    }


def test_wheel_describes_itself_and_nothing_else(package: Package, wheel: dict[str, bytes]) -> None:
    described = {name.partition(".dist-info/")[2] for name in wheel if ".dist-info/" in name}
    entries = {"entry_points.txt"} if package.scripts else set()
    assert described == {"METADATA", "WHEEL", "RECORD", "licenses/LICENSE", *entries}


def test_wheel_is_typed(package: Package, wheel: dict[str, bytes]) -> None:
    assert f"{package.module.replace('.', '/')}/py.typed" in wheel


def test_wheel_has_the_licence_of_the_repository(wheel: dict[str, bytes]) -> None:
    licence = Path(__file__).parents[2] / "LICENSE"
    assert info(wheel, "licenses/LICENSE") == licence.read_bytes()


def test_metadata_is_valid_and_complete(package: Package, wheel: dict[str, bytes]) -> None:
    metadata = Metadata.from_email(info(wheel, "METADATA"), validate=True)
    assert metadata.name == package.name
    assert str(metadata.version) == jina_rerank.__version__
    assert str(metadata.requires_python) == ">=3.11"
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.summary
    assert metadata.description
    assert metadata.description_content_type == "text/markdown"


def test_siblings_are_named_without_a_path(wheel: dict[str, bytes]) -> None:
    requires = message_from_bytes(info(wheel, "METADATA")).get_all("Requires-Dist", [])
    assert [text for text in requires if "@" in text or "file:" in text] == []
