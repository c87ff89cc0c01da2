"""Sessions of the whole suite; `nox` alone runs lint, typing and tests.

Packages are found by glob: a new folder in shared/ or packages/ is in every session at once. What
a session has to know of a package stands in the package's own pyproject.toml.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nox
from packaging.requirements import Requirement
from packaging.version import Version

nox.options.sessions = ["lint", "typing", "tests"]
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))
SOURCES = [str(path / "src") for path in PACKAGES]
LINT = ["ruff>=0.17"]
MYPY = "mypy>=2.4"
TYPING = [MYPY, "nox", "types-tqdm"]
RUNNER = ["hypothesis", "pytest>=9.2", "pytest-asyncio>=1.5", "sybil>=10"]
TESTS = [*RUNNER, "build", "coverage[toml]>=7.17", "hatchling", "packaging"]
DOCS = ["furo", "myst-parser>=5", "sphinx>=9"]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A package alone: one table `[[tool.jina-rerank.isolated]]` of its pyproject.toml.

    Attributes:
        path: Its folder.
        name: How pip calls it, with the extra.
        tests: What pytest runs.
        typing: What mypy checks against the installed package, as it does for users.
        needs: What the tests need beside the package and `RUNNER`.
    """

    path: Path
    name: str
    tests: list[str]
    typing: list[str]
    needs: list[str]


def project(path: Path) -> dict[str, Any]:
    """Read a package's pyproject.toml."""
    return nox.project.load_toml(path / "pyproject.toml")


def environments(path: Path) -> Iterator[Environment]:
    """Read which environments a package is tested alone in."""
    read = project(path)
    for table in read.get("tool", {}).get("jina-rerank", {}).get("isolated", [{}]):
        extra = f"[{table['extra']}]" if "extra" in table else ""
        yield Environment(
            path=path,
            name=read["project"]["name"] + extra,
            tests=table.get("tests", []),
            typing=table.get("typing", []),
            needs=table.get("needs", []),
        )


ENVIRONMENTS = [environment for path in PACKAGES for environment in environments(path)]
OWN = {project(path)["project"]["name"] for path in PACKAGES}
NEEDS = sorted(
    {
        need
        for environment in ENVIRONMENTS
        for need in environment.needs
        if Requirement(need).name not in OWN
    }
)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*LINT)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with mypy, strict, over sources and tests in one run."""
    install(session, *TYPING, *TESTS, *NEEDS)
    session.run(
        "mypy", *SOURCES, "tests", "noxfile.py", "conftest.py", env={"MYPYPATH": ":".join(SOURCES)}
    )


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test and example, with full branch coverage; arguments go to pytest."""
    install(session, *TESTS, *NEEDS)
    session.run("coverage", "erase")
    measured = f"--source={','.join(SOURCES)}"
    session.run("coverage", "run", measured, "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    if not session.posargs:
        session.run("coverage", "report")


@nox.session
@nox.parametrize("environment", ENVIRONMENTS, ids=[each.name for each in ENVIRONMENTS])
def isolated(session: nox.Session, environment: Environment) -> None:
    """Test a package alone: its wheel, what that declares, and nothing else."""
    alone(session, environment)


@nox.session
@nox.parametrize("environment", ENVIRONMENTS, ids=[each.name for each in ENVIRONMENTS])
def lowest(session: nox.Session, environment: Environment) -> None:
    """Test a package alone with the oldest versions that it says it works with."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    lows = lower_bounds(environment.path)
    constraints.write_text("".join(f"{name}=={low}\n" for name, low in lows.items()))
    session.log(constraints.read_text().replace("\n", " "))
    alone(session, environment, "-c", str(constraints))


def alone(session: nox.Session, environment: Environment, *more: str) -> None:
    """Install the wheel of a package and what it declares, and run its tests; `more` is for pip."""
    if not environment.tests:
        session.error("pyproject.toml lacks [[tool.jina-rerank.isolated]]: see CONTRIBUTING.md")
    session.env["PYTHONPATH"] = None  # it could name the sources
    # pip builds wheels of folders; as constraints they keep siblings from coming off an index.
    siblings = Path(session.create_tmp()) / "siblings.txt"
    folders = {project(path)["project"]["name"]: path.as_uri() for path in PACKAGES}
    siblings.write_text("".join(f"{name} @ {folder}\n" for name, folder in folders.items()))
    constraints = "-c", str(ROOT / "constraints.txt"), "-c", str(siblings), *more
    session.install(*constraints, environment.name)
    session.run("pip", "check")
    session.install(*constraints, *RUNNER, *environment.needs)
    session.run("pytest", *environment.tests, *session.posargs)
    if environment.typing:
        session.install(MYPY)
        session.run("mypy", *environment.typing)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages into docs/_build; a warning, such as a broken link, is an error."""
    install(session, *DOCS)
    output = ROOT / "docs" / "_build"
    shutil.rmtree(output, ignore_errors=True)
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-q", "docs", str(output))
    session.log(f"read {output / 'index.html'}")


@nox.session
def hub(session: nox.Session) -> None:
    """Compare turbo and tiny with published scores; downloads them from the Hugging Face hub."""
    install(session, *TESTS, *NEEDS)
    session.run("pytest", "-m", "hub", *session.posargs)


@nox.session
def e2e(session: nox.Session) -> None:
    """Let other people's clients, and the image's entry point, ask and be asked; in Chromium, too."""
    # No client asks the lab, whose own peers are gigabytes.
    asked = [path for path in PACKAGES if path.name != "jina-rerank-lab"]
    install(session, *RUNNER, "psutil", "-r", "tests/e2e/requirements.txt", packages=asked)
    session.run("pytest", "-m", "e2e", "tests/e2e", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the engine against the reference in one run; arguments go to the benchmark."""
    install(session)
    session.run("python", "-m", "tests.bench", *session.posargs)


def install(session: nox.Session, *more: str, packages: Sequence[Path] = PACKAGES) -> None:
    """Install every package with all its extras, or some, and what else a session needs.

    With pip and the constraints: another installer, or an open version of torch, may download
    gigabytes of CUDA.
    """
    editable = [argument for path in packages for argument in ("-e", with_extras(path))]
    session.install("-c", str(ROOT / "constraints.txt"), *editable, *more)


def with_extras(path: Path) -> str:
    """Name a package's folder for pip, with the extra `all` if it has one."""
    extras = project(path)["project"].get("optional-dependencies", {})
    return f"{path}[all]" if "all" in extras else str(path)


def lower_bounds(path: Path) -> dict[str, Version]:
    """Return the lowest version of each dependency that a package says it works with.

    Returns:
        Versions by the dependency's name; a dependency without a lower bound ends the session.
    """
    bounds: dict[str, Version] = {}
    for requirement in requirements(path):
        if requirement.name in OWN or (requirement.marker and not requirement.marker.evaluate()):
            continue
        lows = [Version(s.version) for s in requirement.specifier if s.operator in {">=", "=="}]
        if not lows:
            msg = f"{path.name}/pyproject.toml: {requirement} needs a lower bound, such as >=1.0"
            raise SystemExit(msg)
        bounds[requirement.name] = max(*lows, bounds.get(requirement.name, lows[0]))
    return bounds


def requirements(path: Path) -> list[Requirement]:
    """Read everything that a package declares, with and without extras."""
    declared = project(path)["project"]
    extras = declared.get("optional-dependencies", {}).values()
    return [
        Requirement(text) for group in (declared.get("dependencies", []), *extras) for text in group
    ]
