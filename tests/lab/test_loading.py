import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from jina_rerank_lab.loading import load

from jina_rerank.lines import InputError

DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "parse", "form"),
    [
        ("[" * DEEP, json.loads, "JSON"),
        ("a = " + "[" * DEEP, tomllib.loads, "TOML"),
        ("{", json.loads, "JSON"),
        ("a =", tomllib.loads, "TOML"),
    ],
    ids=["deep JSON", "deep TOML", "JSON", "TOML"],
)
def test_file_of_another_form_is_named(
    tmp_path: Path, text: str, parse: Callable[[str], object], form: str
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load(path, parse, form, hint="measure again")
    assert str(caught.value).startswith(f"'{path}' is not valid {form}: ")
    assert str(caught.value).endswith("; measure again")


def test_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'"caf\xe9"')
    with pytest.raises(InputError, match="is not valid JSON: 'utf-8' codec"):
        load(path, json.loads, "JSON")
