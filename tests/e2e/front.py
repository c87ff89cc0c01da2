"""What stands between boto3 and a container on SageMaker: its runtime's route, limits and errors."""

import http.client
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

LARGEST = 6 * 1024 * 1024
"""Bytes of a request."""

SECONDS = 60
"""How long the container may take."""


class _Handler(BaseHTTPRequestHandler):
    container: ClassVar[str]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Pass `POST /endpoints/NAME/invocations` on, without the headers that a container never sees."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) > LARGEST:
            self._fail(413, "ValidationError", {"Message": "too large"})
            return
        connection = http.client.HTTPConnection(urlsplit(self.container).netloc, timeout=SECONDS)
        headers = {
            "Content-Type": self.headers.get("Content-Type", "application/octet-stream"),
            "Accept": self.headers.get("Accept", "*/*"),
            "Host": "model.aws.local:8080",
        }
        connection.request("POST", "/invocations", body, headers)
        reply = connection.getresponse()
        answer = reply.read()
        connection.close()
        if reply.status != 200:
            original = {"OriginalStatusCode": reply.status, "OriginalMessage": answer.decode()}
            self._fail(424, "ModelError", {"Message": "from the container", **original})
            return
        self._send(200, answer, {"Content-Type": reply.headers["Content-Type"]})

    def _fail(self, status: int, kind: str, value: dict[str, object]) -> None:
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": kind}
        self._send(status, json.dumps(value).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        sent = {"Content-Length": str(len(body)), "x-amzn-RequestId": str(uuid.uuid4())}
        for name, value in (headers | sent).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def in_front_of(container: str) -> Iterator[str]:
    """Stand in for SageMaker's runtime until the block ends; gives the address for boto3."""
    handler = type("Handler", (_Handler,), {"container": container})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
