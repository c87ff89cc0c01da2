import json
from pathlib import Path

import pytest
from jina_rerank_lab import machine, results

from jina_rerank.lines import InputError


def test_result_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    results.write(path, "rag", {"hits": [0.5], "name": "naïve"})
    value = results.read(path, "rag")
    assert (value["schema"], value["kind"], value["hits"], value["name"]) == (
        1,
        "rag",
        [0.5],
        "naïve",
    )


def test_result_says_when_how_and_on_what_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    results.write(path, "benchmark", {})
    made = results.read(path)["made"]
    assert made["date"].endswith("+00:00")
    assert made["command"].startswith("jina-rerank-lab")
    assert made["machine"]["cores"] >= 1
    assert made["versions"]["torch"]


def test_result_keeps_when_it_was_made_if_it_says_so(tmp_path: Path) -> None:
    results.write(tmp_path / "a.json", "rag", {"made": {"date": "2024"}})
    assert results.read(tmp_path / "a.json")["made"] == {"date": "2024"}


def test_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind must be one of evaluation, rag, benchmark"):
        results.write(tmp_path / "a.json", "other", {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not valid JSON"),
        ("[]", "is of kind None, not evaluation or rag or benchmark or distillation"),
        ('{"schema": 1, "kind": "other"}', "is of kind 'other'"),
        ('{"schema": 2, "kind": "rag"}', "has schema 2, not 1; measure again"),
    ],
)
def test_file_that_is_no_result_is_named(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        results.read(path)
    assert str(caught.value).startswith(f"'{path}' {reason}")


def test_result_of_another_kind_is_refused(tmp_path: Path) -> None:
    results.write(tmp_path / "a.json", "rag", {})
    with pytest.raises(InputError, match="is of kind 'rag', not evaluation"):
        results.read(tmp_path / "a.json", "evaluation")


def test_number_that_json_does_not_know_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        results.write(tmp_path / "a.json", "rag", {"value": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_machine_is_described_by_what_linux_says(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast CPU\n")
    (tmp_path / "meminfo").write_text("MemTotal:  1024 kB\n")
    found = machine.describe(tmp_path)
    assert (found.cpu, found.memory) == ("Fast CPU", 1 << 20)


def test_machine_that_tells_nothing_is_described_by_its_architecture(tmp_path: Path) -> None:
    found = machine.describe(tmp_path)
    assert found.cpu
    assert found.memory == 0


def test_versions_are_those_of_installed_packages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package"))
    assert set(machine.versions()) == {"python", "numpy"}
    assert json.dumps(machine.versions())
