"""Commands that other distributions add."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jina_rerank.cli import main

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution that adds a command: its name, and the module with its `command`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = []

    def install(name: str, source: str) -> None:
        module = f"plugin_{name}"
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        entry = f"[jina_rerank.commands]\n{name} = {module}:command\n"
        (info / "entry_points.txt").write_text(entry)
        modules.append(module)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


FUNCTION = '''
def command(word: str) -> int:
    """Say a word."""
    print(word)
    return 5
'''

GROUP = """
import typer
command = typer.Typer(help="Measure things.", add_completion=False)
@command.command()
def speed(): print("fast")
@command.command()
def size(): raise typer.Exit(4)
"""


def test_function_is_a_command_and_its_result_no_exit_code(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("echo", FUNCTION)
    assert main(["echo", "hello"]) == 0
    assert capsys.readouterr() == ("hello\n", "")


def test_typer_app_is_a_group_of_commands(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("bench", GROUP)
    assert main(["bench", "speed"]) == 0
    assert main(["bench", "size"]) == 4
    assert capsys.readouterr().out == "fast\n"
    assert main(["bench", "nothing"]) == 2
    assert "see 'jina-rerank bench --help'" in capsys.readouterr().err


def test_help_lists_every_command_even_one_that_is_broken(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("echo", FUNCTION)
    install("bench", GROUP)
    install("ruin", "import nothing_of_this_name")
    assert main(["--help"]) == 0
    out, err = capsys.readouterr()
    order = [out.index(f"│ {name} ") for name in ("rank", "models", "bench", "echo", "ruin")]
    assert order == sorted(order)
    assert "Measure things." in out
    assert "Say a word." in out
    assert "Cannot be loaded." in out
    assert err == ""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        ("raise RuntimeError('\\x1b[31mboom')", "RuntimeError: boom"),
        ("", "has no attribute 'command'"),
        ("command = 3", "it must be a typer.Typer or a function, not int"),
    ],
)
def test_broken_command_is_one_line_when_it_runs(
    install: Install, capsys: pytest.CaptureFixture[str], source: str, reason: str
) -> None:
    install("ruin", source)
    assert main(["ruin", "--any", "argument"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("jina-rerank: the command 'ruin' (plugin_ruin:command) cannot be loaded")
    assert reason in err
    assert err.endswith("; reinstall or uninstall the package that it comes from\n")
    assert err.count("\n") == 1


def test_command_is_loaded_only_when_it_is_asked_for(install: Install) -> None:
    install("ruin", "raise SystemExit('loaded')")
    assert main(["models"]) == 0


def test_built_in_command_cannot_be_replaced(install: Install) -> None:
    install("models", "raise SystemExit('loaded')")
    assert main(["models"]) == 0
    assert main(["--help"]) == 0


def test_command_has_interrupts_as_exceptions(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    source = """
        import signal
        def command() -> None:
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                print("tidy")
    """
    install("greet", source.replace("\n        ", "\n"))
    assert main(["greet"]) == 130
    assert capsys.readouterr() == ("tidy\n", "")


def test_command_leaves_ignored_interrupts_alone(install: Install) -> None:
    install("greet", "def command() -> None: pass")
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert main(["greet"]) == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)


def test_unanswered_question_ends_with_1(install: Install) -> None:
    install("ask", "import typer\ndef command() -> None:\n    raise typer.Abort")
    assert main(["ask"]) == 1


def test_exit_of_a_command_is_left_alone(install: Install) -> None:
    install("leave", "import sys\ndef command() -> None:\n    sys.exit(7)\n")
    with pytest.raises(SystemExit) as caught:
        main(["leave"])
    assert caught.value.code == 7
