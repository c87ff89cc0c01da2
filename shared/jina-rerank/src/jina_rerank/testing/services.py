"""What each kind of service answers: after its vendor's own, without a model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..wire import cohere, jina, sagemaker, tei
from ..wire.fields import answer, load
from ..wire.values import Answer, InvalidRequestError, RerankReply, RerankRequest, Result, text_of

REQUEST_ID = "00000000000000000000000000000000"

AWS_ID = {"x-amzn-requestid": REQUEST_ID}

ENDPOINT = "/endpoints/my-reranker/invocations"
"""Where SageMaker answers for the one endpoint that it has here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How a service is set up.

    Attributes:
        scorer: The score of a query and a text.
        model: The model that it serves; None is any.
        key: The key that it wants; None is none.
    """

    scorer: Callable[[str, str], float]
    model: str | None = None
    key: str | None = None

    def rank(self, request: RerankRequest) -> RerankReply:
        """Score, sort and cut; a token is a word, and the query is counted once."""
        texts = [text_of(document) for document in request.documents]
        results = [
            Result(
                index=i,
                score=round(self.scorer(request.query, text), 8),
                document=request.documents[i] if request.return_documents else None,
            )
            for i, text in enumerate(texts)
        ]
        results.sort(key=lambda result: (-result.score, result.index))
        return RerankReply(
            results=tuple(results[: request.top_n]),
            model=request.model if request.model is not None else self.model,
            total_tokens=sum(len(text.split()) for text in [request.query, *texts]),
        )

    def has(self, model: str | None) -> bool:
        """Tell whether it serves a model."""
        return self.model is None or model in {None, self.model}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of service.

    Attributes:
        paths: Where it answers.
        reply: Answers a request's body.
        fail: Answers a status that is not about the body, with a message and Jina's code for it.
    """

    paths: tuple[str, ...]
    reply: Callable[[Service, bytes], Answer]
    fail: Callable[[int, str, str | None], Answer]


def _jina(service: Service, body: bytes) -> Answer:
    try:
        request = jina.read_request(body)
    except InvalidRequestError as error:
        return jina.build_error(422, error.reason, request_id=REQUEST_ID, field=error.field)
    if not service.has(request.model):
        said = f"Model '{request.model}' not found. Available models: {service.model}."
        return _jina_fails(400, said, "INPUT_MODEL_NOT_FOUND")
    return jina.build_reply(service.rank(request))


def _jina_fails(status: int, message: str, code: str | None) -> Answer:
    return jina.build_error(status, message, code=code, request_id=REQUEST_ID)


def _cohere(service: Service, body: bytes) -> Answer:
    try:
        request = cohere.read_request(body)
    except InvalidRequestError as error:
        return _cohere_fails(400, f"invalid request: {error}", None)
    if not service.has(request.model):
        return _cohere_fails(404, f"model '{request.model}' not found", None)
    return cohere.build_reply(replace(service.rank(request), model=None), REQUEST_ID)


def _cohere_fails(status: int, message: str, _code: str | None) -> Answer:
    return cohere.build_error(status, message, request_id=REQUEST_ID)


def _tei(service: Service, body: bytes) -> Answer:
    try:
        request = tei.read_request(body)
    except InvalidRequestError as error:
        if error.is_empty:
            return tei.build_error(400, "`texts` cannot be empty", kind="Empty")
        # Its JSON library's own words, which no envelope of TEI's holds.
        said = f"Failed to deserialize the JSON body into the target type: missing field `{error.field}`"
        return Answer(422, said.encode(), {"content-type": "text/plain; charset=utf-8"})
    if (count := len(request.documents)) > tei.DOCUMENTS:
        said = f"batch size {count} > maximum allowed batch size {tei.DOCUMENTS}"
        return tei.build_error(422, said, kind="Validation")
    return tei.build_reply(service.rank(request))


def _tei_fails(status: int, _message: str, _code: str | None) -> Answer:
    return Answer(status, b"")


def _openai_like(extra: Mapping[str, Any], *, wraps: bool) -> Callable[[Service, bytes], Answer]:
    """Make a server with Jina's results and OpenAI's errors.

    Args:
        extra: Fields that it adds to a reply, or, with None, leaves out.
        wraps: It returns each document, as an object, whether that was asked for or not.
    """

    def reply(service: Service, body: bytes) -> Answer:
        try:
            request = jina.read_request(body)
        except InvalidRequestError as error:
            return _openai_fails(400, str(error), None)
        if not service.has(request.model):
            return _openai_fails(404, f"The model `{request.model}` does not exist.", None)
        if wraps:
            documents = tuple({"text": text_of(item)} for item in request.documents)
            request = replace(request, documents=documents, return_documents=True)
        said = load(jina.build_reply(service.rank(request)).body)
        said["usage"]["prompt_tokens"] = said["usage"]["total_tokens"]
        said |= extra
        return answer({field: value for field, value in said.items() if value is not None})

    return reply


def _openai_fails(status: int, message: str, _code: str | None) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": status}
    return answer({"error": error}, status)


def _marketplace(service: Service, body: bytes) -> Answer:
    try:
        request = sagemaker.read_request(body)
    except InvalidRequestError as error:
        return jina.build_error(422, error.reason, request_id=REQUEST_ID, field=error.field)
    return sagemaker.build_reply(service.rank(request))


def _on_sagemaker(reply: Callable[[Service, bytes], Answer]) -> Callable[[Service, bytes], Answer]:
    """Put a container behind SageMaker, which passes on no header and makes its errors its own."""

    def hosted(service: Service, body: bytes) -> Answer:
        said = reply(service, body)
        if said.status == 200:  # noqa: PLR2004 - HTTP's own number
            return Answer(200, said.body, {"content-type": "application/json", **AWS_ID})
        failed = {
            "Message": f"Received client error ({said.status}) from primary",
            "OriginalStatusCode": said.status,
            "OriginalMessage": said.body.decode(),
        }
        return answer(failed, 424, {"x-amzn-errortype": "ModelError", **AWS_ID})

    return hosted


def _sagemaker_fails(_status: int, _message: str, _code: str | None) -> Answer:
    said = {"Message": "Endpoint of account 123456789012 not found."}
    return answer(said, 400, {"x-amzn-errortype": "ValidationError", **AWS_ID})


KINDS: dict[str, Kind] = {
    "jina": Kind(("/v1/rerank",), _jina, _jina_fails),
    "cohere": Kind(("/v2/rerank",), _cohere, _cohere_fails),
    "tei": Kind(("/rerank", "/", "/invocations"), _tei, _tei_fails),
    "vllm": Kind(
        ("/rerank", "/v1/rerank", "/v2/rerank"),
        _openai_like({"object": None, "id": "rerank-0"}, wraps=True),
        _openai_fails,
    ),
    "infinity": Kind(
        ("/rerank",),
        _openai_like({"object": "rerank", "id": "infinity-0", "created": 0}, wraps=False),
        _openai_fails,
    ),
    "sagemaker": Kind((ENDPOINT,), _on_sagemaker(_marketplace), _sagemaker_fails),
    "sagemaker-tei": Kind((ENDPOINT,), _on_sagemaker(_tei), _sagemaker_fails),
    "llama.cpp": Kind(
        ("/rerank", "/reranking", "/v1/rerank", "/v1/reranking"),
        _openai_like({}, wraps=False),
        _openai_fails,
    ),
}
"""Every kind by its name. llama.cpp's other face, TEI's dialect, is that of ``"tei"``."""
