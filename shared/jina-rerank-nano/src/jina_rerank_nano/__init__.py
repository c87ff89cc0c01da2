"""Weights and tokenizer of the built-in reranker `nano`: data for `jina_rerank`, no code."""
