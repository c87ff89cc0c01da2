"""Ranks twice in a fresh interpreter and prints when each step ended, as JSON.

A script, run with ``python -P`` and the path of a JSON file: ``model``, ``query``, ``documents``.
It imports nothing before the first step but what the interpreter itself has loaded.
"""

from time import perf_counter

stamps = [perf_counter()]

import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))

from jina_rerank import Reranker  # noqa: E402

stamps.append(perf_counter())

import torch  # noqa: E402, F401

stamps.append(perf_counter())


stamps.append(perf_counter())

reranker = Reranker(job["model"], device="cpu")
reranker.load()
stamps.append(perf_counter())

for _ in range(2):
    reranker.rank(job["query"], job["documents"])
    stamps.append(perf_counter())

print(json.dumps(stamps))
