"""Ranks twice in a fresh interpreter and prints when each step ended, as JSON.

A script, run with ``python -P`` and the path of a JSON file: ``model``, ``query``, ``documents``.
It imports nothing before the first step but what the interpreter itself has loaded.
"""

from time import perf_counter

stamps = [perf_counter()]

import json  # noqa: E402
import sys  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))

# By name: each import is a step, also where nothing uses the module.
for module in ("jina_rerank", "torch", "jina_rerank.backends.local"):
    if module in sys.modules:
        sys.exit(f"{module} was loaded before its step, which would measure nothing")
    import_module(module)
    stamps.append(perf_counter())

reranker = import_module("jina_rerank").Reranker(job["model"], device="cpu")
reranker.load()
stamps.append(perf_counter())

for _ in range(2):
    reranker.rank(job["query"], job["documents"])
    stamps.append(perf_counter())

print(json.dumps(stamps))
