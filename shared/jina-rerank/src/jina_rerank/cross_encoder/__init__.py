"""Any other cross-encoder, through transformers: BERT, RoBERTa, XLM-R, DeBERTa-v2 and their like.

The tokenizer stays ours (`jina_bert.tokenizer`): it reads the checkpoint's tokenizer.json as it is.
"""
