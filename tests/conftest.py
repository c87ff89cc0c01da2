"""Fixtures shared by all tests."""

import shutil
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of stored inputs and reference values."""
    return FIXTURES


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory, fixtures: Path) -> Path:
    """A whole small checkpoint: the oracle's turbo-shaped model and its tokenizer."""
    directory = tmp_path_factory.mktemp("mini")
    for name in ("config.json", "model.safetensors"):
        shutil.copy(fixtures / "jinabert" / "turbo_mini" / name, directory)
    shutil.copy(fixtures / "jinabert" / "tokenizer_small" / "tokenizer.json", directory)
    return directory
