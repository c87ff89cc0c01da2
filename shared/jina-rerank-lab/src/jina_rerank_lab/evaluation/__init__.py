"""Measure rerankers on collections: candidates, scores, metrics, and what the differences mean."""
