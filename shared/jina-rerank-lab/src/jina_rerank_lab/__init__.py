"""Measure rerankers, and make small ones by distillation."""
