"""How many threads a process computes with: what its affinity and torch's setting allow."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system has no affinity of processes"
)

PROGRAM = """
import json, os, sys

cores = json.loads(sys.argv[1])
os.sched_setaffinity(0, cores)

import torch

from jina_rerank import Reranker

if len(sys.argv) > 2:
    torch.set_num_threads(int(sys.argv[2]))
reranker = Reranker("nano", device="cpu")
before = len(os.listdir("/proc/self/task"))
reranker.score("Which planet is red?", ["Mars is red. " * 30] * 8)
after = len(os.listdir("/proc/self/task"))
print(json.dumps({"started": after - before, "torch": torch.get_num_threads()}))
"""


def threads(*arguments: str, tokenizing: bool = False) -> tuple[int, int]:
    """Score in a fresh process.

    Returns:
        How many threads that started, the worker among them, and torch's own number.
    """
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environment["TOKENIZERS_PARALLELISM"] = str(tokenizing).lower()
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    return found["started"], found["torch"]


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def test_process_on_one_core_computes_with_one_thread() -> None:
    assert threads(json.dumps(cores()[:1])) == (1, 1)


def test_process_computes_with_at_most_a_thread_per_core() -> None:
    started, of_torch = threads(json.dumps(cores()))
    assert started == of_torch <= len(cores())


def test_process_computes_with_as_many_threads_as_torch_is_told() -> None:
    assert threads(json.dumps(cores()[:1]), "3") == (3, 3)


def test_tokenizer_has_a_thread_for_each_core_of_the_process() -> None:
    started, of_torch = threads(json.dumps(cores()[:1]), tokenizing=True)
    assert started - of_torch == 1
