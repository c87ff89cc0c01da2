"""What users import: the names, and that every one of them is documented."""

import difflib
import inspect
import pickle
from pathlib import Path

import pytest

import jina_rerank
from jina_rerank import errors

from . import describe

SNAPSHOT = Path(__file__).with_name("public_api.txt")

ERRORS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.JinaRerankError)
]


def test_all_names_exist_and_are_documented() -> None:
    assert jina_rerank.__all__ == sorted(jina_rerank.__all__, key=lambda n: (not n.isupper(), n))
    for name in jina_rerank.__all__:
        value = getattr(jina_rerank, name)
        assert inspect.getdoc(value), name
        if inspect.isclass(value):
            undocumented = [
                member
                for member, method in vars(value).items()
                if not member.startswith("_") and inspect.isfunction(method) and not method.__doc__
            ]
            assert undocumented == [], name


def test_signatures_are_those_of_the_snapshot() -> None:
    """If the change is meant: ``python -m tests.core.describe > tests/core/public_api.txt``."""
    before, after = SNAPSHOT.read_text(encoding="utf-8"), describe.describe() + "\n"
    changed = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    assert "\n".join(changed) == ""


def test_snapshot_shows_each_keyword_on_a_line_of_its_own() -> None:
    lines = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    for parameter in inspect.signature(jina_rerank.Reranker).parameters.values():
        assert [line for line in lines if line.strip().startswith(f"{parameter.name}: ")]


def test_every_error_is_public() -> None:
    assert {error.__name__ for error in ERRORS} <= set(jina_rerank.__all__)
    assert len(ERRORS) == 15


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_errors_survive_pickle(error: type[Exception]) -> None:
    attributes = {"status": 429, "code": "RATE", "retry_after": 1.5, "request_id": "r"}
    status = issubclass(error, errors.APIStatusError)
    raised = error("message", **attributes) if status else error("message")
    raised.add_note("from the test")
    attributes["__notes__"] = ["from the test"]
    copy = pickle.loads(pickle.dumps(raised))  # noqa: S301 - made in this line
    assert type(copy) is error
    assert str(copy) == "message"
    assert vars(copy) == vars(raised)
    assert {name: vars(copy)[name] for name in attributes} == attributes if status else True


def test_error_tree_is_the_documented_one() -> None:
    assert issubclass(errors.MissingDependencyError, ImportError)
    assert issubclass(errors.APITimeoutError, errors.APIConnectionError)
    described = inspect.getdoc(errors) or ""
    assert [error.__name__ for error in ERRORS if error.__name__ not in described] == []
