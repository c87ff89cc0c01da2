"""One rerank engine behind the wire formats of Jina, Cohere, TEI and SageMaker."""
