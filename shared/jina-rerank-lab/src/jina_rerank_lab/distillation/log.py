"""The log of a run: a line of JSON for each report, and one for people."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..atomic import written

SHOWN = {"learning_rate": ".1e", "tokens_per_second": ",.0f"}
"""How numbers are shown to people, where not with three places."""


class Log:
    """Appends to a file, and tells people.

    Args:
        path: The file.
        say: Is told what is logged, in a line.
    """

    def __init__(self, path: Path, say: Callable[[str], object]) -> None:
        self._path = path
        self._say = say

    def keep(self, total: int) -> None:
        """Drop what was logged after a step, which a run that goes on from there logs again."""
        kept = [line for line in self.read() if line.get("total", 0) <= total]
        with written(self._path) as file:
            file.writelines(f"{json.dumps(line)}\n" for line in kept)

    def read(self) -> list[dict[str, Any]]:
        """Return what was logged; the rest of a line that a kill cut is left out."""
        if not self._path.is_file():
            return []
        text = self._path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Log some values."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps({'kind': kind, **values})}\n")
        self._say(f"{kind} {_shown(values)}")


def _shown(values: Mapping[str, Any]) -> str:
    parts = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            parts.append(_shown(value))
        elif isinstance(value, float):
            parts.append(f"{name} {format(value, SHOWN.get(name, '.3f'))}")
        else:
            parts.append(f"{name} {value}")
    return " ".join(parts).replace("_", " ")
