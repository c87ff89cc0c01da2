"""Sessions of the whole suite; `nox` alone runs lint, typing and tests.

Packages are found by glob: a new folder in shared/ or packages/ is in every session at once.
"""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "typing", "tests"]
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))
LINT = ["ruff>=0.17"]
TYPING = ["mypy>=2.4", "nox", "types-tqdm"]
TESTS = [
    "bm25s",
    "coverage[toml]>=7.17",
    "hypothesis",
    "httpx>=0.28",
    "ir-measures",
    "moto>=5.2",
    "psutil",
    "PyStemmer",
    "pytest>=9.2",
    "pytest-asyncio>=1.5",
    "sybil>=10",
    "trustme",
]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*LINT)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with mypy, strict, over sources and tests in one run."""
    install(session, *TYPING, *TESTS)
    sources = [str(path / "src") for path in PACKAGES]
    session.run(
        "mypy", *sources, "tests", "noxfile.py", "conftest.py", env={"MYPYPATH": ":".join(sources)}
    )


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test and example, with full branch coverage; arguments go to pytest."""
    install(session, *TESTS)
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    if not session.posargs:
        session.run("coverage", "report")


@nox.session
def hub(session: nox.Session) -> None:
    """Compare turbo and tiny with published scores; downloads them from the Hugging Face hub."""
    install(session, *TESTS)
    session.run("pytest", "-m", "hub", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the engine against the reference in one run; arguments go to the benchmark."""
    install(session)
    session.run("python", "-m", "tests.bench", *session.posargs)


def install(session: nox.Session, *more: str) -> None:
    """Install every package with all its extras, and what else a session needs.

    With pip and the constraints: another installer, or an open version of torch, may download
    gigabytes of CUDA.
    """
    editable = [argument for path in PACKAGES for argument in ("-e", with_extras(path))]
    session.install("-c", str(ROOT / "constraints.txt"), *editable, *more)


def with_extras(path: Path) -> str:
    """Name a package's folder for pip, with the extra `all` if it has one."""
    extras = nox.project.load_toml(path / "pyproject.toml")["project"].get(
        "optional-dependencies", {}
    )
    return f"{path}[all]" if "all" in extras else str(path)
