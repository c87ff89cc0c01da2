"""The RAG benchmark of the announcement: embedding models times rerankers, hit rate and MRR."""
