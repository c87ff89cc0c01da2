"""Rerank LangChain documents with small JinaBERT cross-encoders, locally or through a service.

>>> from langchain_core.documents import Document
>>> from langchain_jina_rerank import JinaRerank
>>> compressor = JinaRerank(model="nano", top_n=1)  # or "turbo", "tiny", a directory, ...
>>> documents = [Document("Bread rises because yeast makes gas."), Document("The sea is blue.")]
>>> compressor.compress_documents(documents, "Why does dough grow?")[0].page_content
'Bread rises because yeast makes gas.'
"""

from .compressor import JinaRerank

__version__ = "0.1.0"

__all__ = ["JinaRerank", "__version__"]
