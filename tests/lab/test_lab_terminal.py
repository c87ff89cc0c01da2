import io
import re
import sys

import pytest
from jina_rerank_lab import terminal


class Screen(io.StringIO):
    """A standard stream that is a terminal."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """What it shows, without colours."""
        shown = re.sub(r"\x1b\[[0-9;]*m", "", self.getvalue())
        return [line.rstrip() for line in shown.splitlines()]


def test_message_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("red \x1b[31m\nline")
    assert capsys.readouterr().err == "jina-rerank-lab: red  line\n"


def test_usage_names_where_it_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_usage("wrong.", "jina-rerank-lab evaluate")
    terminal.say_usage("wrong", None)
    terminal.say_usage("", None)
    assert capsys.readouterr().err == (
        "jina-rerank-lab: wrong; see 'jina-rerank-lab evaluate --help'\njina-rerank-lab: wrong\n"
    )


def test_progress_is_shown_to_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with terminal.progress("Asking\x07", 4, done=1) as advance:
        advance(2)
    assert "Asking" in screen.getvalue()
    assert "3/4" in screen.getvalue()
    assert "\x07" not in screen.getvalue()


def test_progress_of_a_pipe_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("Asking", 4) as advance:
        advance(2)
    assert capsys.readouterr().err == ""


def test_table_of_a_pipe_has_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.table(["name", "value"], [["a\tb", "1"]])
    assert capsys.readouterr().out == "name\tvalue\na b\t1\n"


def test_table_of_a_terminal_has_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal.table(["name", "value"], [["long name", "1.5"], ["b", "10.5"]])
    assert screen.lines() == ["name       value", "long name    1.5", "b           10.5"]


@pytest.mark.parametrize(
    ("columns", "header"), [(80, "a title of many words"), (40, "words"), (35, "words")]
)
def test_narrow_terminal_folds_titles_and_not_numbers(
    monkeypatch: pytest.MonkeyPatch, columns: int, header: str
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    name = "a-name-of-30-characters-in-all"
    terminal.table(["name", "a title of many words"], [[name, "12.5"]])
    assert any(line.endswith(header) for line in screen.lines())
    assert any(line.endswith("12.5") for line in screen.lines())


def test_table_without_rows_has_its_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal.table(["name", "value"], [])
    assert screen.lines() == ["name  value"]
