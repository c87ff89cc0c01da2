"""What a Dockerfile says about the image that it makes."""

import json
from dataclasses import dataclass
from pathlib import Path

OF_THE_FILESYSTEM = frozenset({"HF_HOME", "PATH"})
"""Variables that name places of the image."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """How a container starts.

    Attributes:
        entrypoint: The program.
        command: Its arguments, if there are no others.
        environment: What is set, but for places inside the image.
        user: As whom.
        ports: Where it listens.
        sources: What is copied from the repository.
    """

    entrypoint: list[str]
    command: list[str]
    environment: dict[str, str]
    user: str
    ports: list[str]
    sources: list[str]


def read_image(path: Path) -> Image:
    """Read the last stage of a Dockerfile, and what all stages copy from outside."""
    from dockerfile_parse import DockerfileParser

    parser = DockerfileParser(path=str(path))
    steps = [(step["instruction"], step["value"]) for step in parser.structure]
    last = max(number for number, (kind, _) in enumerate(steps) if kind == "FROM")
    final = dict(steps[last:])  # the last of each kind counts
    copies = [value for kind, value in steps if kind == "COPY" and not value.startswith("--from")]
    environment = {k: v for k, v in parser.envs.items() if k not in OF_THE_FILESYSTEM}
    return Image(
        entrypoint=json.loads(final["ENTRYPOINT"]),
        command=json.loads(final["CMD"]),
        environment=environment,
        user=final["USER"],
        ports=final["EXPOSE"].split(),
        sources=[value.split()[0] for value in copies],
    )
