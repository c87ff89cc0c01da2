"""The image on SageMaker, without Docker: its entry point, its environment, SageMaker's layout.

What a container has to do is in AWS's "Use Your Own Inference Code with Hosting Services": it is
started as `serve`, answers `GET /ping` with 200 and nothing within two seconds once it is ready,
answers `POST /invocations` on port 8080, and has 30 seconds after SIGTERM.
"""

import json
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jina_rerank_nano
import psutil
import pytest

from jina_rerank import BadRequestError, Reranker

from ..server.running import Running, free_port, running
from .front import in_front_of
from .image import read_image
from .texts import QUERY, ROOT, TOLERANCE, TOP, documents, offline

pytestmark = pytest.mark.e2e

DOCKERFILE = ROOT / "packages" / "jina-rerank-server" / "Dockerfile"
PING_SECONDS = 2.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What SageMaker makes of a model.tar.gz."""
    folder = tmp_path_factory.mktemp("opt") / "ml" / "model"
    folder.mkdir(parents=True)
    source = Path(jina_rerank_nano.__file__).parent
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        shutil.copy(source / name, folder)
        (folder / name).chmod(0o444)
    return folder


@pytest.fixture(scope="module")
def container(folder: Path) -> Iterator[Running]:
    """The image, started as SageMaker does."""
    image = read_image(DOCKERFILE)
    port = free_port()
    variables = image.environment | {
        "SM_MODEL_DIR": str(folder),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "AWS_REGION": "eu-central-1",
        "JINA_RERANK_DTYPE": "float32",
    }
    assert image.entrypoint == ["jina-rerank"]
    with running("serve", port=port, environment=variables) as server:
        yield server


@pytest.fixture
def aws(container: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """SageMaker's runtime in front of the container."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with in_front_of(container.url) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", address)
        yield address


def post(url: str, body: bytes, kind: str = "application/json") -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": kind})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
        return json.load(reply)


def ping(server: Running) -> tuple[int, bytes]:
    """Ask as SageMaker does, which waits for two seconds."""
    with urllib.request.urlopen(f"{server.url}/ping", timeout=PING_SECONDS) as reply:  # noqa: S310
        return reply.status, reply.read()


def packed(top_n: int | None = None) -> bytes:
    data = {"query": QUERY, "documents": [{"text": text} for text in documents()]}
    return json.dumps({"data": data if top_n is None else data | {"top_n": top_n}}).encode()


def test_ping_is_empty_and_ok(container: Running) -> None:
    assert ping(container) == (200, b"")


def test_container_is_reached_from_outside(container: Running) -> None:
    port = int(container.url.rpartition(":")[2])
    found = psutil.Process(container.process.pid).net_connections("tcp")
    assert {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN} == {"0.0.0.0"}  # noqa: S104
    assert port in {one.laddr.port for one in found}


def test_marketplace_body_is_ranked(container: Running) -> None:
    reply = post(f"{container.url}/invocations", packed(TOP))
    results = reply["data"][0]["results"]
    assert [item["index"] for item in results] == offline().order[:TOP]
    assert results[0]["document"]["text"] == documents()[offline().order[0]]


def test_tei_body_is_ranked(container: Running) -> None:
    body = json.dumps({"query": QUERY, "texts": documents()}).encode()
    reply = post(f"{container.url}/invocations", body)
    assert [item["index"] for item in reply] == offline().order


def test_batch_transforms_rows_are_ranked(container: Running) -> None:
    texts = json.dumps([{"text": text} for text in documents()])
    escaped = texts.replace('"', '\\"').replace(",", "\\,")
    rows = f"one,{QUERY},{escaped},{TOP}\ntwo,{QUERY},{escaped},1\n"
    reply = post(f"{container.url}/invocations", rows.encode(), "text/csv")
    orders = [[item["index"] for item in row["results"]] for row in reply["data"]]
    assert orders == [offline().order[:TOP], offline().order[:1]]


def test_ping_answers_while_the_model_works(container: Running) -> None:
    many = {"query": QUERY, "documents": [{"text": text} for text in documents() * 20]}
    body = json.dumps({"data": many}).encode()
    worker = threading.Thread(target=post, args=(f"{container.url}/invocations", body))
    worker.start()
    pings = 0
    while worker.is_alive():
        assert ping(container)[0] == 200
        pings += 1
    worker.join()
    assert pings >= 2


def test_boto3_ranks_alike(aws: str) -> None:
    import boto3

    client = boto3.client("sagemaker-runtime", region_name="eu-central-1", endpoint_url=aws)
    reply = client.invoke_endpoint(
        EndpointName="my-reranker", ContentType="application/json", Body=packed(TOP)
    )
    results = json.load(reply["Body"])["data"][0]["results"]
    assert [item["index"] for item in results] == offline().order[:TOP]


def test_boto3_gets_the_containers_status(aws: str) -> None:
    import boto3

    client = boto3.client("sagemaker-runtime", region_name="eu-central-1", endpoint_url=aws)
    with pytest.raises(client.exceptions.ModelError) as caught:
        client.invoke_endpoint(
            EndpointName="my-reranker", Body=b"{", ContentType="application/json"
        )
    assert 400 <= caught.value.response["OriginalStatusCode"] < 500


@pytest.mark.parametrize("dialect", ["jina", "tei"])
def test_own_sagemaker_backend_gives_the_same_scores(aws: str, dialect: str) -> None:
    name, region = "my-reranker", "eu-central-1"
    with Reranker("nano", endpoint_name=name, region=region, dialect=dialect) as reranker:
        assert reranker.score(QUERY, documents()) == pytest.approx(offline().scores, abs=TOLERANCE)


def test_own_sagemaker_backend_names_what_is_too_large(aws: str) -> None:
    with (
        Reranker("nano", endpoint_name="my-reranker", region="eu-central-1") as reranker,
        pytest.raises(BadRequestError),
    ):
        reranker.score(QUERY, ["word " * 2_000_000])


def test_start_is_503_until_loaded_and_stop_is_a_success(folder: Path) -> None:
    image = read_image(DOCKERFILE)
    port = free_port()
    variables = image.environment | {
        "SM_MODEL_DIR": str(folder),
        "SAGEMAKER_BIND_TO_PORT": str(port),
    }
    seen: set[int] = set()
    with running("serve", port=port, environment=variables, seen=seen) as server:
        assert 503 in seen
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert time.monotonic() - begun < 30
