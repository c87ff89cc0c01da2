"""JinaBERT in PyTorch: BERT with gated linear units and symmetric ALiBi, for sequences of one score.

Architecture: "Jina Embeddings 2: 8192-Token General-Purpose Text Embeddings for Long Documents"
(Guenther et al. 2023, section 4), as the checkpoints `jina-reranker-v1-turbo-en` and `-tiny-en`
have it.
"""
