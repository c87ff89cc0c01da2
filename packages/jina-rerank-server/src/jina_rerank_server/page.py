"""The files of the page at `/`, as they are in the package."""

import mimetypes
from collections.abc import Mapping
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from .refusals import NOT_FOUND, Refusal

INDEX = "index.html"


class Page:
    """The page: its files are read once, and only they are served."""

    def __init__(self) -> None:
        folder = files(__package__).joinpath("page")
        self._files: Mapping[str, bytes] = {
            entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()
        }

    async def index(self, _: Request) -> Response:
        """Answer `/`."""
        return self._file(INDEX)

    async def file(self, request: Request) -> Response:
        """Answer a file below `/page/`."""
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        if name not in self._files:
            message = "Invalid endpoint"
            raise Refusal(NOT_FOUND, message)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(self._files[name], media_type=kind, headers={"cache-control": "no-cache"})
