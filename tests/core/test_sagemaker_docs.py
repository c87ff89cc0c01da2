"""The RAG on AWS of the documentation, run against stand-ins for Bedrock and the endpoint."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from jina_rerank.testing import FakeServer

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "backends" / "sagemaker.md"


class Bedrock(BaseHTTPRequestHandler):
    """Embeds a text as the letters that it has, and answers with what it was told to use."""

    paths: list[str] = []  # noqa: RUF012 - of the one server of the test
    prompts: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        path = unquote(self.path)
        self.paths.append(path)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = self.embed(body) if path.endswith("/invoke") else self.converse(body)
        said = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        counts = [body["inputText"].lower().count(chr(letter)) for letter in range(97, 123)]
        length = sum(count * count for count in counts) ** 0.5
        return {"embedding": [count / length for count in counts], "inputTextTokenCount": 1}

    def converse(self, body: dict[str, Any]) -> dict[str, Any]:
        (message,) = body["messages"]
        (part,) = message["content"]
        self.prompts.append(part["text"])
        content = [{"text": "Because of the air."}]
        usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
        output = {"message": {"role": "assistant", "content": content}}
        return {
            "output": output,
            "stopReason": "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 1},
        }

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@pytest.fixture
def bedrock() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Bedrock) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_rag_of_the_page_answers_from_the_ranked_paragraphs(
    bedrock: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if "bedrock" in block]
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock)
    with FakeServer("sagemaker") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", endpoint.url)
        exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102 - the page's own code
        (asked,) = endpoint.requests
    assert len(asked.json["data"]["documents"]) == 48
    assert capsys.readouterr().out == "Because of the air.\n"
    (prompt,) = Bedrock.prompts
    assert prompt.endswith("Question: Why is the sky blue?")
    assert prompt.count("\n\n") == 4  # three paragraphs between the instruction and the question
    assert Bedrock.paths[-1] == "/model/amazon.nova-lite-v1:0/converse"
