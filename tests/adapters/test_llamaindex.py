"""`JinaRerank` for LlamaIndex: nodes, scores, events, serialization."""

import asyncio
import copy
import json
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.indices import VectorStoreIndex
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # not in an __all__
from llama_index.core.instrumentation.dispatcher import instrument_tags  # type: ignore[attr-defined] # not in an __all__
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.instrumentation.span import SimpleSpan
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import (
    BaseNode,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.tools import RetrieverTool
from llama_index.postprocessor.jina_rerank import JinaRerank
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from jina_rerank import Reranker, ServerError
from jina_rerank.testing import FakeBackend

QUERY = "red planet"
KEY = "jina_0123456789abcdef"
DOWN = ServerError("the service answered 503", status=503)

COMMON: dict[str, Any] = {
    "top_n": 7,
    "score_threshold": 0.25,
    "overlap": 40,
    "cache": 1000,
    "show_progress": True,
    "on_error": "keep-order",
    "metadata_mode": "none",
    "keep_retrieval_score": True,
}
LOCAL: dict[str, Any] = COMMON | {
    "model": "org/name",
    "backend": "local",
    "max_length": 4096,
    "overlength": "window",
    "max_query_length": 64,
    "device": "cuda:1",
    "dtype": "float32",
    "batch_tokens": 1024,
    "compile": True,
    "revision": "main",
    "cache_dir": "models",
    "local_files_only": True,
}
API: dict[str, Any] = COMMON | {
    "model": "org/name",
    "backend": "api",
    "base_url": "http://localhost:8080/v1",
    "dialect": "cohere",
    "headers": {"X-Team": "search"},
    "verify": "ca.pem",
    "timeout": [5.0, 60.0],
    "deadline": 90.0,
    "attempts": 5,
    "max_concurrency": 8,
    "max_documents_per_request": 100,
    "requests_per_minute": 60,
    "tokens_per_minute": 50_000,
    "split": "allow",
}
SAGEMAKER: dict[str, Any] = COMMON | {
    "model": "org/name",
    "backend": "sagemaker",
    "max_length": 4096,
    "overlength": "window",
    "max_query_length": 64,
    "endpoint_name": "reranker",
    "region": "eu-central-1",
    "profile": "search",
    "inference_component": "component",
    "target_variant": "variant",
}


def scored(text: str, score: float | None = None, **fields: Any) -> NodeWithScore:
    return NodeWithScore(node=TextNode(text=text, **fields), score=score)


def fake(**keywords: Any) -> JinaRerank:
    return JinaRerank(**{"backend": FakeBackend(), "top_n": None} | keywords)


def asked(rerank: JinaRerank) -> list[str]:
    """The texts that the backend was last asked to score."""
    backend = rerank.reranker.settings.backend
    assert isinstance(backend, FakeBackend)
    return list(backend.requests[-1][1])


def run(rerank: JinaRerank, nodes: list[NodeWithScore], how: str) -> list[NodeWithScore]:
    if how == "sync":
        return rerank.postprocess_nodes(nodes, query_str=QUERY)
    return asyncio.run(rerank.apostprocess_nodes(nodes, query_str=QUERY))


both = pytest.mark.parametrize("how", ["sync", "async"])


def test_class_is_a_node_postprocessor() -> None:
    assert issubclass(JinaRerank, BaseNodePostprocessor)
    assert JinaRerank.class_name() == "JinaRerank"


# Nodes


@both
def test_node_given_stays_as_it_was(how: str) -> None:
    nodes = [scored("blue sea", 0.9, metadata={"a": [1]}), scored("red planet", 0.1)]
    before = [node.model_dump() for node in nodes]
    found = run(fake(keep_retrieval_score=True), nodes, how)
    assert [node.model_dump() for node in nodes] == before
    assert [node.score for node in found] == [1.0, 0.0]
    assert found[0] is not nodes[1]


def test_node_inside_is_the_very_one_that_was_retrieved() -> None:
    nodes = [scored("blue sea"), scored("red planet")]
    found = fake().postprocess_nodes(nodes, query_str=QUERY)
    assert [node.node for node in found] == [nodes[1].node, nodes[0].node]
    assert found[0].node is nodes[1].node


class Cited(NodeWithScore):
    page: int = 0


class Chapter(TextNode):
    number: int = 0


@pytest.mark.parametrize("keep", [False, True])
def test_subclass_id_metadata_and_relationships_survive(keep: bool) -> None:  # noqa: FBT001
    relationships = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="book")}
    fields: dict[str, Any] = {"metadata": {"a": 1}, "relationships": relationships}
    chapter = Chapter(id_="seven", text="red planet", number=7, **fields)
    nodes: list[NodeWithScore] = [Cited(node=chapter, score=0.5, page=12)]
    (found,) = fake(keep_retrieval_score=keep).postprocess_nodes(nodes, query_str=QUERY)
    assert isinstance(found, Cited)
    assert found.page == 12
    assert isinstance(found.node, Chapter)
    assert (found.node_id, found.node.number, found.metadata["a"]) == ("seven", 7, 1)
    assert found.node.relationships == relationships


def test_retrieval_score_is_kept_out_of_every_prompt() -> None:
    node = TextNode(text="red planet", metadata={"title": "Mars"}, excluded_llm_metadata_keys=["x"])
    (found,) = fake(keep_retrieval_score=True).postprocess_nodes(
        [NodeWithScore(node=node, score=0.25)], query_str=QUERY
    )
    assert found.score == 1.0
    assert found.metadata == {"title": "Mars", "retrieval_score": 0.25}
    for mode in (MetadataMode.LLM, MetadataMode.EMBED, MetadataMode.NONE):
        assert found.get_content(metadata_mode=mode) == node.get_content(metadata_mode=mode)
    assert node.metadata == {"title": "Mars"}
    assert node.excluded_llm_metadata_keys == ["x"]


def test_retrieval_score_is_not_kept_unless_asked() -> None:
    (found,) = fake().postprocess_nodes([scored("red planet", 0.25)], query_str=QUERY)
    assert found.metadata == {}


def test_node_without_retrieval_score_has_none_to_keep() -> None:
    rerank = fake(keep_retrieval_score=True)
    (found,) = rerank.postprocess_nodes([scored("red planet")], query_str=QUERY)
    assert found.metadata == {}


@both
def test_failure_keeps_nodes_and_scores_of_the_retriever(how: str) -> None:
    rerank = fake(
        backend=FakeBackend(error=DOWN), on_error="keep-order", top_n=2, keep_retrieval_score=True
    )
    nodes = [scored("a", 0.9), scored("b", None), scored("c", 0.1)]
    found = run(rerank, nodes, how)
    assert [(node.text, node.score, node.metadata) for node in found] == [
        ("a", 0.9, {}),
        ("b", None, {}),
    ]
    assert found[0] is not nodes[0]


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (MetadataMode.EMBED, "title: Mars\n\nred"),
        ("all", "title: Mars\npage: 3\n\nred"),
        (MetadataMode.LLM, "title: Mars\npage: 3\n\nred"),
        ("none", "red"),
    ],
)
def test_metadata_mode_says_what_is_read(mode: Any, text: str) -> None:
    node = scored(
        "red", metadata={"title": "Mars", "page": 3}, excluded_embed_metadata_keys=["page"]
    )
    rerank = fake(metadata_mode=mode)
    rerank.postprocess_nodes([node], query_str=QUERY)
    assert asked(rerank) == [text]


def test_default_reads_what_the_embedding_model_reads() -> None:
    assert JinaRerank().metadata_mode is MetadataMode.EMBED


def test_unknown_metadata_mode_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="'all', 'embed', 'llm' or 'none'"):
        JinaRerank(metadata_mode="text")


@pytest.mark.parametrize(
    "node",
    [
        ImageNode(image="aGk="),
        Node(),
        Node(image_resource=MediaResource(data=b"aGk=")),
        TextNode(text=""),
    ],
)
def test_node_without_text_comes_last_and_is_not_read(node: BaseNode) -> None:
    rerank = fake()
    nodes = [NodeWithScore(node=node, score=0.9), scored("blue")]
    found = rerank.postprocess_nodes(nodes, query_str=QUERY)
    assert [item.score for item in found] == [0.0, 0.0]
    assert found[1].node is node
    assert asked(rerank) == ["blue"]


def test_index_node_is_ranked_by_its_text() -> None:
    node = IndexNode(text="red planet", index_id="mars", obj={"any": "object"})
    (found,) = fake(keep_retrieval_score=True).postprocess_nodes(
        [NodeWithScore(node=node, score=0.5)], query_str=QUERY
    )
    assert isinstance(found.node, IndexNode)
    assert found.node.obj is node.obj


def test_nodes_with_one_id_are_all_kept() -> None:
    nodes = [scored("blue", id_="same"), scored("red planet", id_="same")]
    found = fake().postprocess_nodes(nodes, query_str=QUERY)
    assert [node.text for node in found] == ["red planet", "blue"]


def test_query_bundle_and_query_string_are_the_same() -> None:
    nodes = [scored("blue"), scored("red planet")]
    expected = fake().postprocess_nodes(nodes, query_str=QUERY)
    assert fake().postprocess_nodes(nodes, QueryBundle(QUERY)) == expected


@pytest.mark.parametrize("nodes", [[], [scored("red")]])
def test_missing_query_is_an_error_that_names_the_fix(nodes: list[NodeWithScore]) -> None:
    with pytest.raises(ValueError, match="pass query_str or query_bundle"):
        fake().postprocess_nodes(nodes)


def test_limits_that_are_set_later_count() -> None:
    rerank = fake()
    nodes = [scored("blue"), scored("red"), scored("red planet")]
    rerank.top_n = 1
    assert len(rerank.postprocess_nodes(nodes, query_str=QUERY)) == 1
    rerank.top_n, rerank.score_threshold = None, 0.5
    assert len(rerank.postprocess_nodes(nodes, query_str=QUERY)) == 2


def test_metadata_mode_that_is_set_later_counts_and_is_written() -> None:
    rerank = JinaRerank("nano")
    rerank.metadata_mode = "none"  # type: ignore[assignment] # pydantic makes a mode of it
    assert rerank.metadata_mode is MetadataMode.NONE
    assert json.loads(rerank.to_json())["metadata_mode"] == "none"


def test_limit_of_zero_that_is_set_later_is_refused() -> None:
    rerank = fake()
    rerank.top_n = 0
    with pytest.raises(ValueError, match="top_n must be at least 1"):
        rerank.postprocess_nodes([scored("red")], query_str=QUERY)


def test_own_limits_of_a_shared_reranker_apply_where_none_are_given() -> None:
    reranker = Reranker(backend=FakeBackend(), top_n=1, score_threshold=0.5)
    nodes = [scored("blue"), scored("red"), scored("red planet")]
    shared = JinaRerank(reranker=reranker, top_n=None)
    assert [node.text for node in shared.postprocess_nodes(nodes, query_str=QUERY)] == [
        "red planet"
    ]
    more = JinaRerank(reranker=reranker, score_threshold=0.0)
    assert len(more.postprocess_nodes(nodes, query_str=QUERY)) == 2


def test_similarity_postprocessor_after_it_filters_by_the_rerank_score() -> None:
    nodes = [scored("blue", 0.9), scored("red planet", 0.1)]
    found = fake().postprocess_nodes(nodes, query_str=QUERY)
    kept = SimilarityPostprocessor(similarity_cutoff=0.5).postprocess_nodes(found)
    assert [node.text for node in kept] == ["red planet"]


# Serialization


@pytest.mark.parametrize("words", [LOCAL, API, SAGEMAKER], ids=["local", "api", "sagemaker"])
def test_dict_holds_every_argument_and_makes_the_same_again(words: dict[str, Any]) -> None:
    rerank = JinaRerank(**words)
    written = rerank.to_dict()
    assert {name: written[name] for name in words} == words
    assert written["class_name"] == "JinaRerank"
    again = JinaRerank.from_dict(written)
    assert again.to_dict() == written
    assert again.metadata_mode is MetadataMode.NONE


def test_every_keyword_is_written_or_is_an_object_or_a_secret() -> None:
    together = set(LOCAL) | set(API) | set(SAGEMAKER)
    objects = {"token", "api_key", "http_client", "callback_manager", "reranker", "class_name"}
    assert set(JinaRerank().to_dict()) | objects == together | objects


def test_json_makes_the_same_again() -> None:
    rerank = JinaRerank(**API)
    text = rerank.to_json()
    assert json.loads(text) == rerank.to_dict()
    assert JinaRerank.from_json(text).to_dict() == rerank.to_dict()


def test_dict_of_chosen_fields_has_these_alone() -> None:
    rerank = JinaRerank(**LOCAL)
    assert rerank.model_dump(include={"model", "top_n"}) == {
        "model": "org/name",
        "top_n": 7,
        "class_name": "JinaRerank",
    }
    left = rerank.model_dump(exclude={"model", "metadata_mode", "top_n"})
    assert not {"model", "metadata_mode", "top_n"} & set(left)


@pytest.mark.parametrize("key", [KEY, SecretStr(KEY)])
def test_key_is_in_nothing_that_is_written_or_shown(
    key: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rerank = JinaRerank(api_key=key, token=key, headers={"Authorization": KEY, "X-Team": "a"})
    with caplog.at_level(logging.DEBUG):
        written = [repr(rerank), str(rerank), rerank.to_json(), repr(rerank.__dict__)]
        written += [repr(pickle.dumps(rerank)), json.dumps(JinaRerank.model_json_schema())]
    assert [KEY in text for text in (*written, caplog.text)] == [False] * 7
    assert JinaRerank.from_dict(rerank.to_dict()).reranker.settings.backend_name == "api"


def test_adapter_of_a_shared_reranker_is_written_as_its_arguments() -> None:
    reranker = Reranker("org/name", max_length=256, top_n=5, score_threshold=0.5)
    rerank = JinaRerank(reranker=reranker, top_n=None)
    again = JinaRerank.from_dict(rerank.to_dict())
    assert (again.top_n, again.score_threshold) == (5, 0.5)
    assert again.reranker.settings.max_length == 256
    assert again.model == "org/name"


def test_object_that_cannot_be_written_is_named() -> None:
    with pytest.raises(ValueError, match="backend is a FakeBackend"):
        fake().to_dict()


def test_unknown_name_in_a_dict_is_refused() -> None:
    with pytest.raises(TypeError, match="topn"):
        JinaRerank.from_dict({"topn": 3})


@pytest.mark.parametrize("words", [LOCAL, API, SAGEMAKER], ids=["local", "api", "sagemaker"])
def test_pickle_keeps_every_argument(words: dict[str, Any]) -> None:
    rerank = JinaRerank(**words)
    again = pickle.loads(pickle.dumps(rerank))  # noqa: S301 - written in this line
    assert again.to_dict() == rerank.to_dict()


def test_pickle_of_what_cannot_be_pickled_is_an_error_and_no_default() -> None:
    rerank = fake(backend=FakeBackend(lambda query, text: 1.0))
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps(rerank)


def test_pickle_leaves_the_callback_manager_behind() -> None:
    rerank = JinaRerank(callback_manager=CallbackManager([LlamaDebugHandler()]))
    again = pickle.loads(pickle.dumps(rerank))  # noqa: S301 - written in this line
    assert again.callback_manager.handlers == []


def test_copy_shares_the_model() -> None:
    rerank = fake(metadata_mode="llm")
    again = copy.copy(rerank)
    assert again.reranker is rerank.reranker
    assert again.metadata_mode is MetadataMode.LLM


def test_deep_copy_ranks_alike() -> None:
    nodes = [scored("blue"), scored("red planet")]
    rerank = fake()
    again = copy.deepcopy(rerank)
    assert again.reranker is not rerank.reranker
    assert again.postprocess_nodes(nodes, query_str=QUERY) == rerank.postprocess_nodes(
        nodes, query_str=QUERY
    )


def test_json_schema_names_the_fields_of_a_call() -> None:
    properties = JinaRerank.model_json_schema()["properties"]
    assert {"top_n", "score_threshold", "metadata_mode", "keep_retrieval_score"} <= set(properties)
    assert "reranker" not in properties


@pytest.mark.parametrize(
    "words",
    [
        {"model": "jina-reranker-v1-base-en", "backend": "api", "top_n": 3},
        {"model": "jina-reranker-v2-base-multilingual", "api_key": KEY},
        {"api_key": KEY, "base_url": "https://api.jina.ai/v1"},
    ],
)
def test_arguments_of_the_official_integration_choose_the_service(words: dict[str, Any]) -> None:
    assert JinaRerank(**words).reranker.settings.backend_name == "api"


# Observability


class Events(BaseEventHandler):
    seen: list[BaseEvent] = []  # noqa: RUF012 - pydantic copies it

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        if isinstance(event, ReRankStartEvent | ReRankEndEvent):
            self.seen.append(event)


@pytest.fixture
def events() -> Iterator[Events]:
    root, handler = get_dispatcher(), Events()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


@pytest.fixture
def spans() -> Iterator[SimpleSpanHandler]:
    root, handler = get_dispatcher(), SimpleSpanHandler()
    root.add_span_handler(handler)
    yield handler
    root.span_handlers.remove(handler)


@both
def test_call_is_a_pair_of_events_with_what_went_in_and_came_out(how: str, events: Events) -> None:
    nodes = [scored("blue"), scored("red planet")]
    found = run(fake(top_n=1), nodes, how)
    start, end = events.seen
    assert isinstance(start, ReRankStartEvent)
    assert isinstance(end, ReRankEndEvent)
    assert (start.nodes, start.query, start.top_n) == (nodes, QueryBundle(QUERY), 1)
    assert start.model_name == "turbo"
    assert end.nodes == found


@both
def test_events_belong_to_the_span_of_the_call(
    how: str, events: Events, spans: SimpleSpanHandler
) -> None:
    run(fake(), [scored("red")], how)
    name = "_postprocess_nodes" if how == "sync" else "_apostprocess_nodes"
    (span,) = spans.completed_spans
    assert isinstance(span, SimpleSpan)
    assert span.id_.startswith(f"JinaRerank.{name}")
    assert [event.span_id for event in events.seen] == [span.id_] * 2


@both
def test_no_nodes_are_a_pair_of_events_too(how: str, events: Events) -> None:
    assert run(fake(), [], how) == []
    start, end = events.seen
    assert isinstance(start, ReRankStartEvent)
    assert isinstance(end, ReRankEndEvent)
    assert (start.top_n, end.nodes) == (0, [])


@both
def test_failure_is_a_pair_of_events_and_a_dropped_span(
    how: str, events: Events, spans: SimpleSpanHandler
) -> None:
    with pytest.raises(ServerError):
        run(fake(backend=FakeBackend(error=DOWN)), [scored("red")], how)
    _, end = events.seen
    assert isinstance(end, ReRankEndEvent)
    assert end.nodes == []
    assert len(spans.dropped_spans) == 1


def test_missing_query_is_a_pair_of_events(events: Events) -> None:
    with pytest.raises(ValueError, match="query"):
        fake().postprocess_nodes([scored("red")])
    assert [type(event) for event in events.seen] == [ReRankStartEvent, ReRankEndEvent]


@both
def test_usage_and_model_are_tags_of_the_end_event(how: str, events: Events) -> None:
    with instrument_tags({"user": "someone"}):
        run(fake(), [scored("red")], how)
    assert events.seen[1].tags == {
        "user": "someone",
        "model": "fake",
        "usage": {"total_tokens": 3},
        "failed": False,
    }


@both
def test_callback_is_a_pair_with_what_went_in_and_came_out(how: str) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    rerank = fake(callback_manager=CallbackManager([handler]), top_n=1)
    nodes = [scored("blue"), scored("red planet")]
    found = run(rerank, nodes, how)
    ((start, end),) = handler.get_event_pairs(CBEventType.RERANKING)
    assert start.payload == {
        EventPayload.NODES: nodes,
        EventPayload.MODEL_NAME: "turbo",
        EventPayload.QUERY_STR: QUERY,
        EventPayload.TOP_K: 1,
    }
    assert end.payload == {
        EventPayload.NODES: found,
        "model": "fake",
        "usage": {"total_tokens": 7},
        "failed": False,
    }


@both
def test_callback_of_no_nodes_is_a_pair(how: str) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    run(fake(callback_manager=CallbackManager([handler])), [], how)
    assert len(handler.get_event_pairs(CBEventType.RERANKING)) == 1


@both
def test_callback_of_a_failure_is_a_pair_that_ends_with_the_error(how: str) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    rerank = fake(
        backend=FakeBackend(error=ServerError("503", status=503)),
        callback_manager=CallbackManager([handler]),
    )
    with pytest.raises(ServerError):
        run(rerank, [scored("red")], how)
    ((_, end),) = handler.get_event_pairs(CBEventType.RERANKING)
    assert end.payload is not None
    assert isinstance(end.payload[EventPayload.EXCEPTION], ServerError)


@both
def test_failure_that_keeps_the_order_says_so(how: str, events: Events) -> None:
    rerank = fake(backend=FakeBackend(error=DOWN), on_error="keep-order")
    run(rerank, [scored("red")], how)
    assert events.seen[1].tags["failed"] is True


@both
def test_openinference_records_a_reranker(how: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = LlamaIndexInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        run(fake(top_n=1), [scored("blue", 0.5), scored("red planet", 0.25)], how)
    finally:
        instrumentor.uninstrument()
    (span,) = exporter.get_finished_spans()
    recorded = dict(span.attributes or {})
    assert recorded["openinference.span.kind"] == "RERANKER"
    assert recorded["reranker.query"] == QUERY
    assert recorded["reranker.model_name"] == "turbo"
    assert recorded["reranker.top_k"] == 1
    assert recorded["reranker.input_documents.1.document.content"] == "red planet"
    assert recorded["reranker.output_documents.0.document.content"] == "red planet"
    assert recorded["reranker.output_documents.0.document.score"] == 1.0


# Where LlamaIndex uses postprocessors


@pytest.fixture
def index() -> VectorStoreIndex:
    nodes: list[BaseNode] = [TextNode(text=text) for text in ("blue sea", "red planet", "red sea")]
    return VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=4))


@both
def test_query_engine_answers_from_the_best_node(how: str, index: VectorStoreIndex) -> None:
    engine = index.as_query_engine(
        llm=MockLLM(), similarity_top_k=3, node_postprocessors=[fake(top_n=1)]
    )
    response = engine.query(QUERY) if how == "sync" else asyncio.run(engine.aquery(QUERY))
    assert [node.text for node in response.source_nodes] == ["red planet"]
    assert "red planet" in str(response)
    assert "sea" not in str(response)


def test_query_engine_gives_it_its_callback_manager(index: VectorStoreIndex) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    engine = RetrieverQueryEngine.from_args(
        index.as_retriever(similarity_top_k=3),
        llm=MockLLM(),
        node_postprocessors=[fake(top_n=1)],
    )
    engine.callback_manager.add_handler(handler)
    engine.query(QUERY)
    assert len(handler.get_event_pairs(CBEventType.RERANKING)) == 1


@both
def test_chat_engine_reads_the_best_node(how: str, index: VectorStoreIndex) -> None:
    engine = ContextChatEngine.from_defaults(
        index.as_retriever(similarity_top_k=3),
        llm=MockLLM(),
        memory=ChatMemoryBuffer.from_defaults(llm=MockLLM()),
        node_postprocessors=[fake(top_n=1)],
    )
    answer = engine.chat(QUERY) if how == "sync" else asyncio.run(engine.achat(QUERY))
    assert [node.text for node in answer.source_nodes] == ["red planet"]
    assert ChatMessage(role="user", content=QUERY) in engine.chat_history


@both
def test_retriever_tool_returns_the_best_node(how: str, index: VectorStoreIndex) -> None:
    tool = RetrieverTool.from_defaults(
        index.as_retriever(similarity_top_k=3), node_postprocessors=[fake(top_n=1)]
    )
    output = tool(QUERY) if how == "sync" else asyncio.run(tool.acall(QUERY))
    assert [node.text for node in output.raw_output] == ["red planet"]


def test_retrieval_score_survives_a_second_reranker() -> None:
    rerank = fake(keep_retrieval_score=True)
    once = rerank.postprocess_nodes([scored("red", 0.25)], query_str=QUERY)
    (twice,) = rerank.postprocess_nodes(once, query_str=QUERY)
    assert twice.node.metadata["retrieval_score"] == 0.25
    assert twice.node.excluded_llm_metadata_keys == ["retrieval_score"]
