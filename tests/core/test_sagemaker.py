"""The SageMaker backend: moto for success, a fake on loopback for everything that goes wrong."""

import asyncio
import gc
import json
import os
import random
import socket
import ssl
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import moto
import psutil
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_rerank import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    Backend,
    BadRequestError,
    JinaRerankError,
    MissingDependencyError,
    RateLimitError,
    Reranker,
    Scores,
    ServerError,
)
from jina_rerank.backends import sagemaker as module
from jina_rerank.backends.sagemaker import SageMakerBackend
from jina_rerank.http.clock import Clock
from jina_rerank.settings import Settings
from jina_rerank.testing import (
    BackendContract,
    Drop,
    FakeServer,
    Received,
    RerankerContract,
    word_overlap,
)
from jina_rerank.testing.server import Fault
from jina_rerank.wire import sagemaker
from jina_rerank.wire.values import Answer

from .service_cases import CASES, answer_of

QUERY = "where is the dog"
TEXTS = ["the dog is in my house", "he likes dog", "hello world"]
PATIENCE = 60.0
SECRET = "wJalrXUtnFEMI/K7MDENG"  # noqa: S105 - made up
MADE: list[SageMakerBackend] = []
CHOICE = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"


@dataclass
class Waits:
    """Stands in for the waits between tries: none takes time, all are written down."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, over: threading.Event, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide this machine's own AWS configuration, and give made-up credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture(autouse=True)
def _settled() -> Iterator[None]:
    """End what a test has begun: a thread that connects late would meet the next test's fake."""
    yield
    while MADE:
        backend = MADE.pop()
        backend.close()
        backend._workers.shutdown()


@dataclass
class Fake:
    """The endpoint: what its next requests get instead of an answer, and those that came.

    Attributes:
        server: The server.
        faults: One for each of the next requests.
        arrived: Released by each request that is scored.
        go: Scoring waits for it.
    """

    server: FakeServer
    faults: deque[Fault | None]
    arrived: threading.Semaphore
    go: threading.Event

    @property
    def seen(self) -> list[Received]:
        return self.server.requests

    @property
    def sizes(self) -> list[int]:
        """How many documents each request had."""
        bodies = [seen.json for seen in self.seen]
        return [
            len(body["texts"] if "texts" in body else body["data"]["documents"]) for body in bodies
        ]

    def fail(self, *faults: Fault | None) -> None:
        self.faults.extend(faults)

    def is_left_alone(self) -> bool:
        """Wait until no connection is open, without a garbage collector; False if one stays."""
        deadline = time.monotonic() + PATIENCE
        gc.disable()
        try:
            while (count := self._connections()) and time.monotonic() < deadline:
                time.sleep(0.001)  # a thread may still be at its last request
            return count == 0
        finally:
            gc.enable()

    def _connections(self) -> int:
        port = int(self.server.url.rpartition(":")[2])
        found = psutil.Process().net_connections("tcp")
        ours = [one for one in found if one.raddr and one.raddr.port == port]
        return sum(1 for one in ours if one.status != psutil.CONN_TIME_WAIT)


@contextmanager
def serving(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    faults: deque[Fault | None] = deque()
    arrived, go = threading.Semaphore(0), threading.Event()
    go.set()

    def scorer(query: str, text: str) -> float:
        arrived.release()
        go.wait(PATIENCE)
        return word_overlap(query, text)

    def queue() -> Iterator[Fault | None]:
        while True:
            yield faults.popleft() if faults else None

    with FakeServer(kind, scorer=scorer, faults=queue()) as server:
        monkeypatch.setenv(CHOICE, server.url)
        try:
            yield Fake(server, faults, arrived, go)
        finally:
            go.set()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with serving("sagemaker", monkeypatch) as fake:
        yield fake


@pytest.fixture
def fake_tei(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with serving("sagemaker-tei", monkeypatch) as fake:
        yield fake


def aws_error(status: int, code: str, message: str = "said", **more: Any) -> Answer:
    """Make an error as SageMaker answers it."""
    headers = {"x-amzn-errortype": code, "x-amzn-requestid": "req-1"}
    return Answer(status, json.dumps({"Message": message, **more}).encode(), headers)


def model_error(status: int, message: str = "", **more: Any) -> Answer:
    """Make an error of the container, as SageMaker wraps it."""
    return aws_error(424, "ModelError", OriginalStatusCode=status, OriginalMessage=message, **more)


def make(waits: Waits | None = None, clock: Clock | None = None, **given: Any) -> SageMakerBackend:
    chosen: dict[str, Any] = {"endpoint_name": "my-reranker", "region": "us-east-1", **given}
    calm = clock if clock is not None else Clock(random=lambda: 0.0)
    wait = waits if waits is not None else Waits()
    MADE.append(SageMakerBackend(Settings(**chosen), clock=replace(calm, wait=wait)))
    return MADE[-1]


def reranker(**given: Any) -> Reranker:
    return Reranker(endpoint_name="my-reranker", region="us-east-1", **given)


def caught(backend: Backend, *texts: str) -> Exception:
    """Score, and return what is raised."""
    with pytest.raises((JinaRerankError, ValueError, RuntimeError)) as raised:
        backend.score(QUERY, list(texts) if texts else TEXTS)
    return raised.value


def score(backend: Backend, how: str) -> Scores:
    """Score in a thread, or in an event loop."""
    if how == "threads":
        return backend.score(QUERY, TEXTS)
    return asyncio.run(backend.ascore(QUERY, TEXTS))


class TestSageMakerBackend(BackendContract):
    @pytest.fixture
    def backend(self, fake: Fake) -> Backend:
        return make()


class TestSageMakerBackendWithTei(BackendContract):
    @pytest.fixture
    def backend(self, fake_tei: Fake) -> Backend:
        return make(dialect="tei")


class TestRerankerOverSageMaker(RerankerContract):
    @pytest.fixture
    def reranker(self, fake: Fake) -> Reranker:
        return reranker()


# What is sent, and what comes back


def test_ranking_through_moto_is_the_queued_one() -> None:
    results = [
        {"index": 0, "relevance_score": 0.23109324276447296, "usage": {"total_tokens": 8}},
        {"index": 1, "relevance_score": 0.056966383010149, "usage": {"total_tokens": 5}},
    ]
    body = {"data": [{"query_usage": {"total_tokens": 6}, "results": results}], "parameters": {}}
    queued = [{"Body": json.dumps(body), "ContentType": "application/json"}]
    with moto.mock_aws():
        url = "http://motoapi.amazonaws.com/moto-api/static/sagemaker/endpoint-results"
        posted = requests.post(url, json={"region": "us-east-1", "results": queued}, timeout=5)
        assert posted.status_code == 201
        ranking = reranker().rank(QUERY, TEXTS[:2])
    assert [(item.index, item.score) for item in ranking] == [
        (0, 0.23109324276447296),
        (1, 0.056966383010149),
    ]
    assert ranking.usage.total_tokens == 19
    assert ranking.model == "jina-reranker-v1-turbo-en"


def test_request_names_endpoint_component_and_variant(fake: Fake) -> None:
    make(inference_component="ranker", target_variant="blue").score(QUERY, TEXTS)
    (seen,) = fake.seen
    assert seen.path == "/endpoints/my-reranker/invocations"
    assert seen.headers["x-amzn-sagemaker-inference-component"] == "ranker"
    assert seen.headers["x-amzn-sagemaker-target-variant"] == "blue"
    assert seen.headers["content-type"] == seen.headers["accept"] == "application/json"
    assert "/us-east-1/sagemaker/aws4_request" in seen.headers["authorization"]
    assert " jina-rerank/" in seen.headers["user-agent"]
    documents = [{"text": text} for text in TEXTS]
    assert json.loads(seen.body) == {"data": {"documents": documents, "query": QUERY}}


def test_request_to_m0_is_a_list(fake: Fake) -> None:
    make(model="jina-reranker-m0").score(QUERY, TEXTS)
    assert isinstance(json.loads(fake.seen[0].body)["data"], list)


def test_request_to_tei_asks_to_truncate(fake_tei: Fake) -> None:
    scores = make(dialect="tei").score(QUERY, TEXTS)
    expected = {"query": QUERY, "texts": TEXTS, "return_text": False, "truncate": True}
    assert json.loads(fake_tei.seen[0].body) == expected
    assert scores.values == [0.75, 0.25, 0.0]
    assert scores.total_tokens == 0  # SageMaker hides the header that has them


def test_region_comes_from_the_profile(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-north-1\n")
    (tmp_path / "credentials").write_text(
        "[work]\naws_access_key_id = theirs\naws_secret_access_key = x\n"
    )
    make(region=None, profile="work").score(QUERY, TEXTS)
    assert "Credential=theirs/" in fake.seen[0].headers["authorization"]
    assert "/eu-north-1/" in fake.seen[0].headers["authorization"]


def test_progress_bar_counts_documents(fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    make(show_progress=True, max_documents_per_request=1).score(QUERY, TEXTS)
    assert "3/3" in capfd.readouterr().err


# Splitting


@pytest.mark.parametrize(
    ("kind", "dialect", "count"), [("sagemaker", "jina", 2048), ("sagemaker-tei", "tei", 32)]
)
def test_list_above_the_dialects_limit_is_split(
    monkeypatch: pytest.MonkeyPatch, kind: str, dialect: str, count: int
) -> None:
    texts = [f"dog {i}" for i in range(count + 1)]
    with serving(kind, monkeypatch) as fake:
        scores = make(dialect=dialect).score(QUERY, texts)
        assert sorted(fake.sizes) == [1, count]
    assert scores.values == [0.25] * (count + 1)


@pytest.mark.parametrize("character", ["a", "\N{CJK UNIFIED IDEOGRAPH-72D7}", '"', "\x01"])
def test_body_stays_below_the_limit_of_bytes(fake: Fake, character: str) -> None:
    texts = [f"{i} {character * (400_000 if character != chr(1) else 200_000)}" for i in range(9)]
    make().score("0 4 8", texts)
    assert len(fake.seen) > 1 or character == "a"
    assert all(len(seen.body) <= sagemaker.BYTES for seen in fake.seen)
    assert sum(fake.sizes) == 9


@pytest.mark.parametrize("most", [1, 2, 5])
def test_split_and_merged_equals_whole(fake: Fake, most: int) -> None:
    whole, parts = make(), make(max_documents_per_request=most)

    @given(st.lists(st.text("dogwhere ", min_size=1, max_size=20), min_size=1, max_size=12))
    @settings(max_examples=25)
    def check(texts: list[str]) -> None:
        assert parts.score(QUERY, texts).values == whole.score(QUERY, texts).values

    check()


def test_body_for_tei_stays_below_its_own_limit(fake_tei: Fake) -> None:
    backend = make(dialect="tei", max_concurrency=1)
    backend.score(QUERY, ["x" * 400_000] * 6 + ["x" * 3_000_000])
    assert fake_tei.sizes == [4, 2, 1]  # the last has no choice
    assert all(len(seen.body) <= 2_000_000 for seen in fake_tei.seen[:2])


def test_tokens_of_parts_are_summed(fake: Fake) -> None:
    scores = make(max_documents_per_request=2).score(QUERY, TEXTS)
    assert scores.total_tokens == 2 * 4 + 6 + 3 + 2  # the query goes out twice


def test_document_that_does_not_fit_a_request_is_refused(fake: Fake) -> None:
    error = caught(make(), "short", "x" * sagemaker.BYTES)
    assert isinstance(error, BadRequestError)
    assert error.status == 413
    assert "6,291,456 that SageMaker takes" in str(error)
    assert fake.seen == []


def test_document_that_just_fits_goes_alone(fake: Fake) -> None:
    around = len(json.dumps({"text": ""}, separators=(",", ":"))) + 1
    largest = "x" * (sagemaker.BYTES - module.OVERHEAD - len(json.dumps(QUERY)) - around)
    make().score(QUERY, ["short", largest, "short"])
    assert fake.sizes == [1, 1, 1]


def test_text_of_one_word_is_not_repeated_as_a_code(fake: Fake) -> None:
    fake.fail(aws_error(400, "Aspirin"))
    error = caught(make(), "aspirin")
    assert "aspirin" not in f"{error} {getattr(error, 'code', '')}".lower()


def test_listwise_model_is_not_split_silently(fake: Fake) -> None:
    backend = make(model="jina-reranker-v3", max_documents_per_request=2)
    assert "split='allow'" in str(caught(backend))
    assert fake.seen == []


def test_listwise_model_is_split_where_allowed(fake: Fake) -> None:
    make(model="jina-reranker-v3", max_documents_per_request=2, split="allow").score(QUERY, TEXTS)
    assert len(fake.seen) == 2


# Errors


RECORDED = [case for case in CASES if case["dialect"] == "sagemaker_jina"]


@pytest.mark.parametrize("how", ["threads", "event loop"])
@pytest.mark.parametrize(
    "case", [case for case in RECORDED if case["kind"] == "error"], ids=lambda case: case["id"]
)
def test_recorded_error_becomes_the_documented_one(
    fake: Fake, case: dict[str, Any], how: str
) -> None:
    expected = case["client_expect"]
    fake.fail(*[answer_of(case)] * 3)
    backend = make()
    with pytest.raises(APIStatusError) as raised:
        score(backend, how)
    assert type(raised.value).__name__ == expected["exception"]
    assert raised.value.code == expected["botocore_code"]
    assert raised.value.request_id == "req-1"
    assert len(fake.seen) == (3 if expected["retryable"] else 1)


@pytest.mark.parametrize(
    "case", [case for case in RECORDED if case["kind"] == "success"], ids=lambda case: case["id"]
)
def test_recorded_reply_gives_the_documented_order(case: dict[str, Any]) -> None:
    reply = sagemaker.read_reply(answer_of(case))
    assert [result.index for result in reply.results] == case["client_expect"]["indices"]


@pytest.mark.parametrize(
    ("fault", "kind", "status", "said", "tries"),
    [
        (aws_error(400, "ExpiredTokenException"), AuthenticationError, 400, "have expired", 1),
        (aws_error(403, "SignatureDoesNotMatch"), AuthenticationError, 403, "clock", 1),
        (aws_error(403, "Whatever"), AuthenticationError, 403, "sagemaker:InvokeEndpoint", 1),
        (aws_error(400, "ThrottlingException"), RateLimitError, 400, "max_concurrency", 3),
        (aws_error(530, "InternalDependencyException"), ServerError, 530, "try again later", 3),
        (aws_error(400, "ValidationError", "No such."), BadRequestError, 400, '"No such."', 1),
        (aws_error(400, "ValidationError", "<b>"), BadRequestError, 400, "target_variant;", 1),
        (model_error(0, "Timed out"), ServerError, 504, "did not answer", 3),
        (model_error(408), BadRequestError, 408, "answered 408", 3),
        (model_error(401), BadRequestError, 401, "answered 401", 1),
        (model_error(424), ServerError, 424, "check that it is a reranker", 1),
        (model_error(429), RateLimitError, 429, "add instances", 3),
        (model_error(503), ServerError, 503, "larger instance", 3),
        (
            model_error(422, '{"error": "batch size 33 > 32", "error_type": "Validation"}'),
            BadRequestError,
            422,
            '"batch size 33 > 32"; its log is in CloudWatch at /aws/sagemaker/Endpoints/my-reranker',
            1,
        ),
        (
            model_error(500, LogStreamArn="arn:aws:logs:r:1:log-group:/aws/mine:log-stream:x"),
            ServerError,
            500,
            "CloudWatch at /aws/mine;",
            3,
        ),
        (
            Answer(502, b"<html>bad gateway</html>"),
            ServerError,
            502,
            "502 without a code of AWS",
            3,
        ),
        (Answer(413, b""), BadRequestError, 413, "413 without a code of AWS", 1),
        (Answer(307, b"", {"location": "http://127.0.0.1:9/"}), BadRequestError, 307, "307", 1),
    ],
)
def test_error_says_what_to_do(  # noqa: PLR0913, PLR0917 - a table
    fake: Fake, fault: Fault, kind: type, status: int, said: str, tries: int
) -> None:
    fake.fail(*[fault] * 3)
    error = caught(make())
    assert type(error) is kind
    assert isinstance(error, APIStatusError)
    assert error.status == status
    assert said in str(error)
    assert len(fake.seen) == tries
    assert len(error.attempts) == tries


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Answer(200, b"no json"), "not JSON"),
        (Answer(200, b'{"data": []}'), "no data of one query"),
        (Answer(200, b'{"data": [{"results": []}]}'), "0 results for 3 documents"),
        (Answer(424, b"[1]", {"x-amzn-errortype": "ModelError"}), "cannot read the answer"),
        (
            model_error(500).__class__(
                424, b'{"OriginalStatusCode": "x"}', {"x-amzn-errortype": "ModelError"}
            ),
            "cannot read the answer",
        ),
    ],
)
def test_answer_in_no_form_of_sagemakers_is_a_response_error(
    fake: Fake, fault: Fault, said: str
) -> None:
    fake.fail(fault)
    error = caught(make())
    assert isinstance(error, APIResponseError)
    assert said in str(error)
    assert len(fake.seen) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "results", "index", "relevance_score", "Message", "usage"])
            | st.sampled_from(["OriginalStatusCode", "OriginalMessage", "LogStreamArn", "code"]),
            values,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def test_any_answer_is_scores_or_a_typed_error(fake: Fake) -> None:
    backend = make(attempts=1)
    codes = st.sampled_from(["", "ModelError", "ValidationError"])

    @given(JSON, st.sampled_from([200, 400, 424, 429, 500]), codes)
    def check(value: Any, status: int, code: str) -> None:
        fake.faults.clear()
        headers = {"x-amzn-errortype": code} if code else {}
        fake.fail(Answer(status, json.dumps(value).encode(), headers))
        try:
            scores = backend.score(QUERY, TEXTS[:1])
        except APIError:
            return
        assert len(scores.values) == 1

    check()


def test_endpoint_that_does_not_exist_is_named(fake: Fake) -> None:
    error = caught(make(endpoint_name="other"))
    assert isinstance(error, BadRequestError)
    assert "refuses the request to endpoint 'other' (ValidationError): check" in str(error)


def test_tei_container_asked_in_another_dialect_says_to_check_it(fake_tei: Fake) -> None:
    error = caught(make(dialect="jina"))
    assert isinstance(error, BadRequestError)
    assert "answered 422: check dialect" in str(error)


def test_marketplace_container_asked_in_teis_dialect_says_to_check_it(fake: Fake) -> None:
    error = caught(make(dialect="tei"))
    assert isinstance(error, BadRequestError)
    assert "answered 422: check dialect" in str(error)


def test_answer_cut_off_in_its_body_is_asked_again(fake: Fake) -> None:
    waits = Waits()
    fake.fail(Drop(after=10))
    assert make(waits).score(QUERY, TEXTS).values == [0.75, 0.25, 0.0]
    assert len(fake.seen) == 2
    assert waits.seconds == [0.5]


def test_connection_that_drops_each_time_is_a_connection_error(fake: Fake) -> None:
    fake.fail(*[Drop()] * 3)
    error = caught(make())
    assert type(error) is APIConnectionError
    assert error.attempts == ("APIConnectionError",) * 3


def test_refused_connection_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv(CHOICE, address)
    waits = Waits()
    error = caught(make(waits))
    assert type(error) is APIConnectionError
    assert address in str(error)
    assert waits.seconds == [0.5, 1.0]


def test_certificate_of_nobody_known_says_what_verify_takes(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHOICE, fake.server.url.replace("http:", "https:"))  # no TLS there at all
    error = caught(make(attempts=1))
    assert type(error) is APIConnectionError
    assert "AWS_CA_BUNDLE" in str(error)


def test_slow_answer_is_a_timeout(fake: Fake) -> None:
    fake.go.clear()
    error = caught(make(timeout=(5, 0.05), attempts=1))
    fake.go.set()
    assert type(error) is APITimeoutError
    assert "raise timeout" in str(error)


def test_retry_after_is_honoured(fake: Fake) -> None:
    asked = aws_error(503, "ServiceUnavailable")
    waits = Waits()
    fake.fail(Answer(asked.status, asked.body, {**asked.headers, "retry-after": "7"}))
    make(waits).score(QUERY, TEXTS)
    assert waits.seconds == [7.0]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_request_is_tried_as_often_as_asked(fake: Fake, attempts: int) -> None:
    fake.fail(*[aws_error(503, "ServiceUnavailable")] * 9)
    error = caught(make(attempts=attempts))
    assert isinstance(error, ServerError)
    assert len(fake.seen) == attempts  # boto3 adds none of its own
    assert error.attempts == ("HTTP 503 ServiceUnavailable",) * attempts


# Credentials and configuration


def test_no_credentials_say_where_they_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AuthenticationError, match="no AWS credentials: pass profile, set AWS_ACC"):
        reranker().load()


def test_half_of_the_credentials_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = caught(make())
    assert isinstance(error, AuthenticationError)
    assert (error.status, error.code) == (401, "PartialCredentialsError")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"region": None}, "no AWS region: pass region, or set AWS_DEFAULT_REGION"),
        ({"region": "not a region"}, "check endpoint_name, region"),
        ({"profile": "nobody"}, "AWS has no profile 'nobody'"),
    ],
)
def test_configuration_that_cannot_work_is_named(
    fake: Fake, given: dict[str, Any], said: str
) -> None:
    error = caught(make(**given))
    assert isinstance(error, ValueError | APIError)
    assert said in str(error)
    assert fake.seen == []


def test_profile_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "gone")
    assert "AWS has no profile 'gone'" in str(caught(make()))


def test_role_that_may_not_be_assumed_is_no_fault_of_the_endpoint(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(
        "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/ranker\n"
        "credential_source = Environment\n"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.server.url)
    body = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    fake.fail(Answer(403, body, {"content-type": "text/xml"}))
    error = caught(make(profile="work"))
    assert isinstance(error, AuthenticationError)
    assert str(error).startswith("AWS gives no credentials (AssumeRole: AccessDenied)")
    assert [seen.path for seen in fake.seen] == ["/"]


def test_single_sign_on_that_ran_out_says_how_to_renew_it(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config").write_text(
        "[profile work]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = ranker\n"
    )
    error = caught(make(profile="work"))
    assert isinstance(error, AuthenticationError)
    assert "aws sso login" in str(error)
    assert fake.seen == []


def test_endpoint_without_boto3_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("jina_rerank.http.aws")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, module.__name__)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'jina-rerank\[sagemaker\]'"):
        reranker().load()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"overlength": "window"}, "backend='local'"),
        ({"max_length": 512}, "backend='local'"),
        ({"max_query_length": 512}, "backend='local'"),
        ({"dialect": "cohere"}, "backend='api'"),
        ({"headers": {"a": "b"}}, "backend='api'"),
        ({"http_client": object()}, "backend='api'"),
        ({"requests_per_minute": 1}, "backend='api'"),
        ({"tokens_per_minute": 1}, "backend='api'"),
        ({"verify": ssl.create_default_context()}, "backend='api'"),
        ({"endpoint_name": "arn:aws:sagemaker:us-east-1:1:endpoint/x"}, "is a name, no ARN"),
        ({"inference_component": "a b"}, "is a name, no ARN"),
        ({"target_variant": "v" * 64}, "is a name, no ARN"),
    ],
)
def test_keyword_that_sagemaker_cannot_follow_is_refused(given: dict[str, Any], named: str) -> None:
    settings = Settings(**{"endpoint_name": "my-reranker"} | given)
    with pytest.raises(ValueError, match=named):
        module.create(settings)


@pytest.mark.parametrize("verify", [False, Path("ca.pem"), "ca.pem"])
def test_other_ways_to_verify_reach_boto3(fake: Fake, verify: Any) -> None:
    backend = make(verify=verify)
    backend.load()
    expected = verify if verify is False else "ca.pem"
    assert backend._client._endpoint.http_session._verify == expected


def test_one_number_is_both_timeouts(fake: Fake) -> None:
    backend = make(timeout=3)
    backend.load()
    config = backend._client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 3)


def test_load_asks_nothing(fake: Fake) -> None:
    with reranker() as loaded:
        loaded.load()
    assert fake.seen == []


# Threads, event loops, children


def test_requests_under_way_are_bounded_over_threads_and_tasks(fake: Fake) -> None:
    dice = random.Random(0)  # noqa: S311 - no secret
    fake.fail(*[_fault(dice) for _ in range(400)])
    backend = make(max_concurrency=3, attempts=12)
    ranker = Reranker(backend=backend)
    words = [f"word{i}" for i in range(12)]

    def indices(i: int) -> list[int]:
        ranking = ranker.rank(words[i % 12], words, top_n=1)
        return [item.index for item in ranking]

    async def tasks() -> list[list[int]]:
        rankings = [ranker.arank(words[i % 12], words, top_n=1) for i in range(100)]
        return [[item.index for item in ranking] for ranking in await asyncio.gather(*rankings)]

    with ThreadPoolExecutor(17) as pool:
        threads = [pool.submit(indices, i) for i in range(200)]
        loop = pool.submit(asyncio.run, tasks())
        assert [future.result() for future in threads] == [[i % 12] for i in range(200)]
        assert loop.result() == [[i % 12] for i in range(100)]
    assert fake.server.busiest == 3
    assert len(fake.seen) > 300
    backend.close()
    assert fake.is_left_alone()


def _fault(dice: random.Random) -> Fault | None:
    faults: list[Fault] = [
        aws_error(400, "ThrottlingException"),
        model_error(500),
        Drop(after=9),
        Answer(502, b""),
    ]
    if dice.random() < 0.2:
        return faults[dice.randrange(len(faults))]
    return None


@pytest.mark.parametrize("how", ["threads", "event loop"])
def test_deadline_ends_a_call_that_is_under_way(fake: Fake, how: str) -> None:
    fake.go.clear()
    backend = make(deadline=0.05)
    backend.load()
    with pytest.raises(APITimeoutError, match="deadline"):
        score(backend, how)
    fake.go.set()


def test_deadline_ends_a_call_that_waits_for_a_thread(fake: Fake) -> None:
    fake.go.clear()
    backend = make(deadline=0.05, max_concurrency=1)
    backend.load()
    with pytest.raises(APITimeoutError):
        backend.score(QUERY, TEXTS)
    with pytest.raises(APITimeoutError):
        asyncio.run(backend.ascore(QUERY, TEXTS))
    with pytest.raises(APITimeoutError):
        backend.score(QUERY, TEXTS)
    fake.go.set()
    backend._workers.shutdown()
    assert len(fake.seen) <= 1  # nothing was sent for who had gone


def test_deadline_ends_a_task_that_waits_for_a_thread(fake: Fake) -> None:
    backend = make(deadline=0.05, max_concurrency=1)
    busy = threading.Event()
    backend._callers.submit(busy.wait, PATIENCE)
    with pytest.raises(APITimeoutError):
        asyncio.run(backend.ascore(QUERY, TEXTS))
    busy.set()
    assert fake.seen == []


def test_wait_beyond_the_deadline_is_not_begun(fake: Fake) -> None:
    waits = Waits()
    asked = aws_error(503, "ServiceUnavailable")
    fake.fail(Answer(asked.status, asked.body, {**asked.headers, "retry-after": "50"}))
    backend = make(waits, Clock(monotonic=lambda: 0.0), deadline=40)
    assert isinstance(caught(backend), ServerError)
    assert waits.seconds == []


def test_time_that_is_up_before_the_first_try_is_a_timeout(fake: Fake) -> None:
    times = iter([0.0, 0.0])
    backend = make(None, Clock(monotonic=lambda: next(times, 99.0)), deadline=9.0)
    assert isinstance(caught(backend), APITimeoutError)
    assert fake.seen == []


def test_cancelled_task_leaves_the_backend_usable(fake: Fake) -> None:
    fake.go.clear()
    backend = make()

    async def cancel() -> None:
        task = asyncio.create_task(backend.ascore(QUERY, TEXTS))
        await asyncio.to_thread(fake.arrived.acquire)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    fake.go.set()
    assert backend.score(QUERY, TEXTS).values == [0.75, 0.25, 0.0]


def test_failed_part_ends_the_others(fake: Fake) -> None:
    fake.fail(aws_error(403, "AccessDeniedException"))
    backend = make(max_documents_per_request=1, max_concurrency=1)
    assert isinstance(caught(backend, *["dog"] * 50), AuthenticationError)
    backend._workers.shutdown()
    assert len(fake.seen) < 50


@pytest.mark.parametrize("how", ["threads", "event loop"])
def test_closing_ends_a_call_that_is_under_way(fake: Fake, how: str) -> None:
    fake.go.clear()
    fake.fail(None, aws_error(503, "ServiceUnavailable"))
    backend = make(max_documents_per_request=2, max_concurrency=1)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(score, backend, how)
        fake.arrived.acquire()
        backend.close()
        fake.go.set()
        with pytest.raises(RuntimeError, match="closed while it was in use"):
            future.result()
    assert fake.is_left_alone()


@pytest.mark.parametrize("how", ["threads", "event loop"])
def test_closed_backend_says_so(fake: Fake, how: str) -> None:
    backend = make()
    backend.score(QUERY, TEXTS)
    backend.close()
    with pytest.raises(RuntimeError, match="closed while it was in use"):
        score(backend, how)
    with pytest.raises(RuntimeError, match="closed while it was in use"):
        backend.load()
    assert fake.is_left_alone()


def test_wait_between_tries_ends_when_closed(fake: Fake) -> None:
    fake.fail(*[aws_error(503, "ServiceUnavailable")] * 3)
    waiting = threading.Event()

    def wait(over: threading.Event, seconds: float) -> None:
        waiting.set()
        over.wait(60)

    settings = Settings(endpoint_name="my-reranker", region="us-east-1")
    backend = SageMakerBackend(settings, clock=Clock(wait=wait))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(backend.score, QUERY, TEXTS)
        waiting.wait(60)
        backend.close()
        with pytest.raises(RuntimeError, match="closed while it was in use"):
            future.result()
    assert len(fake.seen) == 1


def test_forked_child_has_connections_of_its_own(fake: Fake) -> None:
    ranker = reranker()
    expected = ranker.score(QUERY, TEXTS)
    child = os.fork()
    if child == 0:
        os._exit(0 if ranker.score(QUERY, TEXTS) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ranker.score(QUERY, TEXTS) == expected


def test_each_event_loop_gets_an_answer(fake: Fake) -> None:
    backend = make()
    for _ in range(2):
        assert asyncio.run(backend.ascore(QUERY, TEXTS)).values == [0.75, 0.25, 0.0]


# What others may see


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint_name": "other"},
        {"region": "us-east-2"},
        {"inference_component": "c"},
        {"target_variant": "v"},
        {"dialect": "tei"},
        {"model": "tiny"},
    ],
)
def test_identity_names_what_scores_depend_on(changed: dict[str, Any]) -> None:
    assert make().identity() != make(**changed).identity()
    assert make(**changed).identity() == make(**changed).identity()
    assert SECRET not in make(**changed).identity()


def test_nothing_sent_is_repeated(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    echo = json.dumps({"error": f"{QUERY} / {TEXTS[0]} / {SECRET}"})
    faults = [
        model_error(500, echo),
        model_error(400, echo),
        aws_error(400, "ValidationError", echo),
        aws_error(403, "SignatureDoesNotMatch", f"the string to sign held {SECRET}"),
        Answer(200, echo.encode()),
        Answer(400, echo.encode(), {"x-amzn-errortype": f"{QUERY}"}),
    ]
    caplog.set_level(0, logger="jina_rerank")
    for fault in faults:
        fake.faults.clear()
        fake.fail(*[fault] * 3)
        backend = make()
        error = caught(backend)
        said = (
            "".join(traceback.format_exception(error)) + repr(error) + repr(backend) + caplog.text
        )
        for secret in (QUERY, TEXTS[0], SECRET):
            assert secret not in said
