"""The description of the API, for programs and for the page at `/docs`."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

Json = dict[str, Any]

QUERY = "What makes dough grow?"
TEXTS = ["Honey bees dance.", "Yeast gives off gas, and bread rises."]
SCORES = [0.95112371, 0.00012345]

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 1}
TOKENS: Json = {"type": "integer", "minimum": 0}
ID: Json = {"type": "string", "description": "What the server's log calls this request."}
QUERY_FIELD: Json = {
    "type": "string",
    "pattern": r"\S",
    "description": "What is searched for.",
}


def _object(title: str, description: str, properties: Json, *required: str) -> Json:
    """Describe an object; fields that it does not name are ignored."""
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(required),
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(schema: Json, description: str) -> Json:
    """Describe a field that may be null, which is the same as leaving it out."""
    return schema | {"type": [schema["type"], "null"], "description": description}


def _list(items: Json, description: str) -> Json:
    return {"type": "array", "items": items, "minItems": 1, "description": description}


MODEL = _maybe(TEXT, "A model of this server by any of its names; else its first.")
TOP_N = _maybe(COUNT, "How many results; else all.")
RETURNED = _maybe({"type": "boolean"}, "False leaves the documents out of the answer.")
CUT = _maybe(
    {"type": "boolean"},
    "False refuses what the model would read only in part, instead of cutting it.",
)

SCHEMAS: Json = {
    "Document": {
        "title": "Document",
        "description": "A text, or an object that has one; it comes back as it was sent.",
        "anyOf": [
            TEXT,
            {"type": "object", "properties": {"text": TEXT}, "required": ["text"]},
        ],
    },
    "JinaRequest": _object(
        "Jina",
        "The format of Jina's API.",
        {
            "model": MODEL,
            "query": QUERY_FIELD,
            "documents": _list(_ref("Document"), "Texts, or objects with a text."),
            "top_n": TOP_N,
            "return_documents": RETURNED,
            "truncation": CUT,
        },
        "query",
        "documents",
    ),
    "JinaReply": _object(
        "Reply",
        "Results, best first.",
        {
            "model": TEXT,
            "object": {"const": "list"},
            "usage": _object("Usage", "", {"total_tokens": TOKENS}, "total_tokens"),
            "results": {
                "type": "array",
                "items": _object(
                    "Result",
                    "",
                    {
                        "index": {"type": "integer", "minimum": 0},
                        "relevance_score": {"type": "number", "minimum": 0, "maximum": 1},
                        "document": _ref("Document"),
                    },
                    "index",
                    "relevance_score",
                ),
            },
        },
        "model",
        "object",
        "usage",
        "results",
    ),
    "CohereRequest": _object(
        "Cohere",
        "The format of Cohere's API, version 2.",
        {
            "model": MODEL,
            "query": QUERY_FIELD,
            "documents": _list(TEXT, "Texts."),
            "top_n": TOP_N,
        },
        "query",
        "documents",
    ),
    "CohereReply": _object(
        "Reply",
        "Results, best first.",
        {
            "id": ID,
            "results": {
                "type": "array",
                "items": _object(
                    "Result",
                    "",
                    {
                        "index": {"type": "integer", "minimum": 0},
                        "relevance_score": {"type": "number", "minimum": 0, "maximum": 1},
                    },
                    "index",
                    "relevance_score",
                ),
            },
            "meta": {"type": "object"},
            "model": TEXT,
        },
        "id",
        "results",
        "meta",
    ),
    "TEIRequest": _object(
        "TEI",
        "The format of Hugging Face's text-embeddings-inference.",
        {
            "query": QUERY_FIELD,
            "texts": _list(TEXT, "Texts."),
            "return_text": _maybe({"type": "boolean"}, "True adds the texts to the answer."),
            "truncate": CUT,
        },
        "query",
        "texts",
    ),
    "TEIReply": {
        "title": "Reply",
        "description": "Results, best first.",
        "type": "array",
        "items": _object(
            "Result",
            "",
            {
                "index": {"type": "integer", "minimum": 0},
                "score": {"type": "number", "minimum": 0, "maximum": 1},
                "text": TEXT,
            },
            "index",
            "score",
        ),
    },
    "SageMakerRequest": _object(
        "SageMaker",
        "The format of Jina's packages on the AWS Marketplace.",
        {
            "data": _object(
                "Data",
                "",
                {
                    "query": QUERY_FIELD,
                    "documents": _list(_ref("Document"), "Texts, or objects with a text."),
                    "top_n": TOP_N,
                },
                "query",
                "documents",
            )
            | {"description": "A query and its documents; also as a list of one."}
        },
        "data",
    ),
    "SageMakerReply": _object(
        "Reply",
        "One entry for each query.",
        {"data": {"type": "array", "items": {"type": "object"}}, "parameters": {"type": "object"}},
        "data",
        "parameters",
    ),
    "Model": _object(
        "Model",
        "A model of this server.",
        {
            "id": TEXT,
            "object": {"const": "model"},
            "owned_by": TEXT,
            "name": TEXT,
            "ready": {"type": "boolean"},
        },
        "id",
        "object",
        "name",
        "ready",
    ),
    "Models": _object(
        "Models",
        "The models of this server.",
        {"object": {"const": "list"}, "data": {"type": "array", "items": _ref("Model")}},
        "object",
        "data",
    ),
    "Health": _object(
        "Health",
        "How far the server is.",
        {
            "status": {"enum": ["ok", "loading", "stopping"]},
            "ready": {"type": "object", "additionalProperties": {"type": "boolean"}},
        },
        "status",
        "ready",
    ),
    "JinaError": _object(
        "Error",
        "An error as Jina's API has it.",
        {
            "detail": {
                "anyOf": [
                    TEXT,
                    _object("Detail", "", {"message": TEXT, "code": TEXT}, "message", "code"),
                ]
            },
            "code": TEXT,
            "request_id": ID,
            "errors": {"type": "array", "items": {"type": "object"}},
        },
        "detail",
        "request_id",
    ),
    "CohereError": _object(
        "Error", "An error as Cohere's API has it.", {"message": TEXT, "id": ID}, "message", "id"
    ),
    "TEIError": _object(
        "Error",
        "An error as TEI has it.",
        {"error": TEXT, "error_type": TEXT},
        "error",
        "error_type",
    ),
}

REFUSALS: Mapping[str, str] = {
    "400": "The model is not known, or a text is too long and truncation is off.",
    "401": "The server wants a key.",
    "403": "A page of another site asks.",
    "408": "The body came too slowly.",
    "413": "The body is too large.",
    "415": "The body is compressed.",
    "421": "The name in Host is not the server's.",
    "422": "The body is not what it should be.",
    "429": "Too many documents wait; Retry-After says when to come again.",
    "500": "The model failed.",
    "503": "The model is loading, or the server is stopping.",
    "504": "The deadline passed.",
}

GUARDS = ("401", "403", "421")


def _content(schema: Json, **more: object) -> Json:
    return {"application/json": {"schema": schema} | more}


def _refusals(statuses: Mapping[str, str], *schemas: str) -> Json:
    refs = [_ref(name) for name in schemas]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {
        status: {"description": description, "content": _content(schema)}
        for status, description in statuses.items()
    }


def _rerank(summary: str, formats: Json, errors: tuple[str, ...], **bodies: Json) -> Json:
    """Describe a route that ranks; `formats` has a reply and an example for each request."""
    requests = [_ref(name) for name in formats]
    replies = [_ref(name.replace("Request", "Reply")) for name in formats]
    examples = {name: {"value": request} for name, (request, _) in formats.items()}
    example = next(reply for _, reply in formats.values())
    schema = requests[0] if len(requests) == 1 else {"anyOf": requests}
    reply = replies[0] if len(replies) == 1 else {"anyOf": replies}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _content(schema, examples=examples) | bodies},
        "responses": {
            "200": {
                "description": "The ranking, best first.",
                "content": _content(reply, example=example),
            }
        }
        | _refusals(REFUSALS, *errors),
        "security": [{"key": []}, {}],
    }


JINA_EXAMPLE = (
    {"model": "nano", "query": QUERY, "documents": TEXTS, "top_n": 1},
    {
        "model": "nano",
        "object": "list",
        "usage": {"total_tokens": 31},
        "results": [{"index": 1, "relevance_score": SCORES[0], "document": TEXTS[1]}],
    },
)
COHERE_EXAMPLE = (
    {"model": "nano", "query": QUERY, "documents": TEXTS, "top_n": 1},
    {
        "id": "5f0c7f6f3b1e4f0e8f5b3f0c7f6f3b1e",
        "results": [{"index": 1, "relevance_score": SCORES[0]}],
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": 31},
        },
        "model": "nano",
    },
)
TEI_EXAMPLE = (
    {"query": QUERY, "texts": TEXTS},
    [{"index": 1, "score": SCORES[0]}, {"index": 0, "score": SCORES[1]}],
)
SAGEMAKER_EXAMPLE = (
    {"data": {"query": QUERY, "documents": [{"text": text} for text in TEXTS], "top_n": 1}},
    {
        "data": [
            {
                "query_usage": {"total_tokens": 0},
                "docs_usage": {"total_tokens": 31},
                "results": [
                    {
                        "index": 1,
                        "relevance_score": SCORES[0],
                        "document": {"text": TEXTS[1]},
                    }
                ],
            }
        ],
        "parameters": {},
    },
)
CSV: Json = {
    "schema": {"type": "string"},
    "examples": {
        "rows": {
            "value": f'1,{QUERY},[{{\\"text\\": \\"Honey bees dance.\\"}}\\, '
            '{\\"text\\": \\"Yeast gives off gas.\\"}],1\n'
        }
    },
}


def _get(
    summary: str, schema: Json | None, more: Json, kind: str = "application/json", **rest: object
) -> Json:
    """Describe a route that only tells."""
    content = {} if schema is None else {"content": {kind: {"schema": schema}}}
    return {
        "summary": summary,
        "responses": {"200": {"description": "As described."} | content} | more,
    } | rest


def describe() -> Json:
    """Describe the API, as OpenAPI 3.1."""
    guards = {status: REFUSALS[status] for status in GUARDS}
    guarded = _refusals(guards, "JinaError")
    locked = {"security": [{"key": []}, {}]}
    loading = {"503": {"description": "The models are loading, or the server is stopping."}}
    refused = _refusals({"503": REFUSALS["503"]}, "JinaError")
    missing = _refusals({"404": "There is none of that name."}, "JinaError")
    name = {"name": "name", "in": "path", "required": True, "schema": TEXT}
    jina, cohere = ("JinaError",), ("CohereError",)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jina-rerank",
            "version": version("jina-rerank-server"),
            "description": "Sorts documents by their relevance to a query. One engine answers in "
            "the formats of Jina, Cohere, text-embeddings-inference and SageMaker, each with its "
            "vendor's errors.",
        },
        "paths": {
            "/v1/rerank": {
                "post": _rerank("Rank, in Jina's format.", {"JinaRequest": JINA_EXAMPLE}, jina)
            },
            "/v2/rerank": {
                "post": _rerank(
                    "Rank, in Cohere's format.", {"CohereRequest": COHERE_EXAMPLE}, cohere
                )
            },
            "/rerank": {
                "post": _rerank(
                    "Rank, in TEI's format if there are texts, in Jina's if there are documents.",
                    {"TEIRequest": TEI_EXAMPLE, "JinaRequest": JINA_EXAMPLE},
                    ("JinaError", "TEIError"),
                )
            },
            "/invocations": {
                "post": _rerank(
                    "Rank, as a container of SageMaker: what a body holds says its format.",
                    {
                        "SageMakerRequest": SAGEMAKER_EXAMPLE,
                        "TEIRequest": TEI_EXAMPLE,
                        "JinaRequest": JINA_EXAMPLE,
                    },
                    ("JinaError", "TEIError"),
                    **{"text/csv": CSV},
                )
            },
            "/ping": {"get": _get("Tell SageMaker whether requests can be sent.", None, loading)},
            "/health": {
                "get": _get(
                    "Tell whether requests can be sent, and which models are loaded.",
                    _ref("Health"),
                    {"503": loading["503"] | {"content": _content(_ref("Health"))}},
                )
            },
            "/v1/models": {
                "get": _get("List the models.", _ref("Models"), guarded | refused, **locked)
            },
            "/v1/models/{name}": {
                "get": _get(
                    "Describe a model.",
                    _ref("Model"),
                    guarded | missing,
                    parameters=[name],
                    **locked,
                )
            },
            "/metrics": {
                "get": _get("Count, for Prometheus.", TEXT, guarded, "text/plain", **locked)
            },
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
