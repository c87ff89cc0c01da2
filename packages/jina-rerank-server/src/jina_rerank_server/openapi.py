"""The description of the API, for programs and for the page at `/docs`."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

MODEL = "MODEL"
"""What stands in `openapi.json` where an example names a model."""


def describe(models: Sequence[str]) -> dict[str, Any]:
    """Describe the API, as OpenAPI 3.1.

    Args:
        models: The names of the server's models; examples use the first.
    """
    written = files(__package__).joinpath("openapi.json").read_text(encoding="utf-8")
    described: dict[str, Any] = json.loads(written.replace(f'"{MODEL}"', json.dumps(models[0])))
    described["info"]["version"] = version("jina-rerank-server")
    schemas = described["components"]["schemas"]
    for name in ("JinaRequest", "CohereRequest"):
        schemas[name]["properties"]["model"]["enum"] = [*models, None]
    return described
