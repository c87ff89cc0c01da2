"""`/docs`: the description of the API as a page that needs nothing but itself."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .openapi import describe


class Docs:
    """Three files, written once: the description for programs, for people, and its style.

    Args:
        models: The names of the server's models.
    """

    def __init__(self, models: Sequence[str]) -> None:
        description = describe(models)
        self._openapi = json.dumps(description, ensure_ascii=False, indent=1).encode()
        self._page = "\n".join(_page(description)).encode()
        self._style = files(__package__).joinpath("docs.css").read_bytes()

    async def openapi(self, _: Request) -> Response:
        """Answer `/openapi.json`."""
        return Response(self._openapi, media_type="application/json")

    async def page(self, _: Request) -> Response:
        """Answer `/docs`."""
        return Response(self._page, media_type="text/html")

    async def style(self, _: Request) -> Response:
        """Answer `/docs/style.css`."""
        return Response(self._style, media_type="text/css")


def _page(description: Mapping[str, Any]) -> Iterator[str]:
    info = description["info"]
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(info['title'])}</title>"
    yield '<link rel="icon" href="page/icon.svg" type="image/svg+xml">'
    yield '<link rel="stylesheet" href="docs/style.css">\n</head>\n<body>\n<main>'
    yield f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
    yield f"<p>{escape(info['description'])}</p>"
    yield '<p><a href="./">Try it</a> · <a href="openapi.json">OpenAPI description</a></p>'
    yield "<nav><h2>Routes</h2><ul>"
    operations = [
        (method.upper(), path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    for method, path, operation in operations:
        link = f'<a href="#{_anchor(method, path)}"><code>{method} {escape(path)}</code></a>'
        yield f"<li>{link} {escape(operation['summary'])}</li>"
    yield "</ul></nav>"
    for method, path, operation in operations:
        yield from _operation(method, path, operation, description["components"])
    yield "</main>\n</body>\n</html>"


def _operation(
    method: str, path: str, operation: Mapping[str, Any], components: Mapping[str, Any]
) -> Iterator[str]:
    yield f'<section id="{_anchor(method, path)}">'
    yield f'<h2><span class="method">{method}</span> <code>{escape(path)}</code></h2>'
    yield f"<p>{escape(operation['summary'])} {escape(operation.get('description', ''))}</p>"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Request <code>{escape(kind)}</code></h3>"
        for schema in _alternatives(content["schema"], components["schemas"]):
            yield from _fields(schema)
        for example in content.get("examples", {}).values():
            yield _example(example["value"])
    yield "<h3>Answers</h3><table><thead><tr><th>status</th><th>when</th></tr></thead><tbody>"
    responses = {
        status: components["responses"][_name(one)] if "$ref" in one else one
        for status, one in operation["responses"].items()
    }
    for status, response in responses.items():
        yield f"<tr><td><code>{status}</code></td><td>{escape(response['description'])}</td></tr>"
    yield "</tbody></table>"
    for response in responses.values():
        for content in response.get("content", {}).values():
            if "example" in content:
                yield "<h3>Example</h3>"
                yield _example(content["example"])
    yield "</section>"


def _alternatives(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the objects that a body may be."""
    each = schema.get("anyOf", [schema])
    found = [schemas[_name(one)] for one in each if "$ref" in one]
    return [one for one in found if "properties" in one]


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"<p><strong>{escape(schema['title'])}.</strong> {escape(schema['description'])}</p>"
    yield "<table><thead><tr><th>field</th><th>type</th><th></th></tr></thead><tbody>"
    for name, field in schema["properties"].items():
        needed = ", required" if name in schema.get("required", ()) else ""
        yield (
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(field))}{needed}</td>"
            f"<td>{escape(field.get('description', ''))}</td></tr>"
        )
    yield "</tbody></table>"


def _name(reference: Mapping[str, Any]) -> str:
    """Take the last part of a reference."""
    return str(reference["$ref"].rpartition("/")[2])


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _name(field).lower()
    kind = field.get("type", "anything")
    kinds = [one for one in kind if one != "null"] if isinstance(kind, list) else [kind]
    if kinds == ["array"]:
        return f"list of {_type(field['items'])}"
    return " or ".join(kinds)


def _example(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return f"<pre>{escape(text)}</pre>"


def _anchor(method: str, path: str) -> str:
    return escape(f"{method.lower()}{path.replace('/', '-').replace('{', '').replace('}', '')}")
