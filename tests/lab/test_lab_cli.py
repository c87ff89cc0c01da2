import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Annotated

import pytest
import typer
from jina_rerank_lab import cli, terminal
from jina_rerank_lab.evaluation import command

from jina_rerank.errors import JinaRerankError
from jina_rerank.lines import InputError

from .conftest import Make, Run

Done = subprocess.CompletedProcess[bytes]
PROGRAM = [sys.executable, "-c", "import sys, jina_rerank_lab.cli as c; sys.exit(c.main())"]


def evaluated(data: Path, cache: Path, stdout: int | IO[str], **more: str) -> Done:
    """Evaluate a collection in a process of its own."""
    return subprocess.run(
        [*PROGRAM, "evaluate", "--data", str(data), "--reranker", "none"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **more},
        check=False,
    )


def test_help_names_every_command_and_loads_none_of_them() -> None:
    code = (
        "import sys, jina_rerank_lab.cli as c; c.main(['--help']); "
        "print([m for m in ('torch', 'transformers', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert all(name in done.stdout for name in cli.COMMANDS)


def test_nothing_asked_is_answered_with_help(run: Run) -> None:
    done = run()
    assert (done.code, "Usage: jina-rerank-lab" in done.out) == (2, True)


def test_unknown_command_is_wrong_usage(run: Run) -> None:
    done = run("evalute")
    assert done.code == 2
    assert done.err.startswith("jina-rerank-lab: No such command 'evalute'")


def test_help_of_a_command_is_its_own(run: Run) -> None:
    done = run("evaluate", "--help")
    assert (done.code, "--retriever" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("'a' is bad"), 1, "jina-rerank-lab: 'a' is bad\n"),
        (JinaRerankError("no model"), 3, "jina-rerank-lab: no model\n"),
        (OSError(28, "no room"), 3, "jina-rerank-lab: the system refused: [Errno 28] no room\n"),
        (typer.Abort(), 130, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_end_has_its_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def evaluate() -> None:
        raise error

    monkeypatch.setattr(command, "evaluate", evaluate)
    done = run("evaluate")
    assert (done.code, done.err) == (code, said)


def test_exit_of_a_command_is_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate() -> None:
        sys.exit(7)

    monkeypatch.setattr(command, "evaluate", evaluate)
    with pytest.raises(SystemExit, match="7"):
        run("evaluate")


def test_standard_output_may_be_any_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    assert cli.main(["--help"]) == 0
    assert "Usage" in shown.getvalue()


BROKEN = """
import sys
from jina_rerank_lab import cli
from jina_rerank_lab.evaluation import command
def evaluate():
    raise BrokenPipeError
command.evaluate = evaluate
sys.exit(cli.main(["evaluate"]))
"""


def test_pipe_that_breaks_inside_a_command_ends_it_quietly() -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (141, b"", b"")


def test_options_that_may_be_repeated_take_several_values(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(
        *,
        data: Annotated[list[str], typer.Option()],
        reranker: Annotated[list[str], typer.Option()],
        depth: Annotated[int, typer.Option()] = 1,
        fuse: Annotated[bool, typer.Option("--fuse")] = False,
    ) -> None:
        terminal.show(f"{data} {reranker} {depth} {fuse}")

    monkeypatch.setattr(command, "evaluate", evaluate)
    words = "--data a b --fuse --reranker x --depth 3 --reranker y z --data c"
    assert run("evaluate", *words.split()).out == "['a', 'b', 'c'] ['x', 'y', 'z'] 3 True\n"
    assert run("evaluate", "--data", "a", "--reranker", "x", "--depth", "3", "4").code == 2


def test_command_with_arguments_keeps_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(name: str, *, data: Annotated[list[str], typer.Option()]) -> None:
        terminal.show(f"{name} {data}")

    monkeypatch.setattr(command, "evaluate", evaluate)
    assert run("evaluate", "--data", "a", "b").out == "b ['a']\n"


def test_reader_that_goes_away_ends_the_program_quietly(make: Make, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = evaluated(make(), tmp_path, writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_closed_streams_are_no_error(run: Run, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run("evaluate", "--data", make(), "--reranker", "none").code == 0


def test_full_disk_is_one_line_and_3(make: Make, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = evaluated(make(), tmp_path, full)
    said = b"jina-rerank-lab: the system refused: [Errno 28] No space left on device\n"
    assert (done.returncode, done.stderr) == (3, said)


def test_pipe_gets_utf8_whatever_the_locale(make: Make, tmp_path: Path) -> None:
    done = evaluated(make("日本語"), tmp_path, subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[1] == "日本語\t2\t100.0"
